// state diff: what two files have in common, and how far apart their values are.
#include "xlstm/engine/state_diff.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "tests/support/expect_error.h"

namespace xlstm::engine {
namespace {

namespace fs = std::filesystem;

config::StateSpec spec_of(std::int64_t num_blocks) {
  config::ModelConfig config;
  config.architecture = config::Architecture::large;
  config.num_blocks = num_blocks;
  config.num_heads = 1;
  config.qk_dim = 2;
  config.v_dim = 2;
  return config::make_state_spec(config);
}

class StateDiffTest : public testing::Test {
 protected:
  ~StateDiffTest() override {
    fs::remove(path_a_);
    fs::remove(path_b_);
  }
  static state::StateFile filled(const config::StateSpec& spec, float value) {
    state::StateFile file{
        "model", "tokenizer", {1, 2, 3}, std::vector<float>(static_cast<std::size_t>(spec.slot_size))};
    for (const auto& tensor : spec.tensors) std::fill_n(file.slot.begin() + tensor.offset, tensor.size, value);
    return file;
  }
  StateDiff diff(const state::StateFile& a, const state::StateFile& b) const {
    state::save_state(path_a_, spec_, a);
    state::save_state(path_b_, spec_, b, {1});
    return diff_states(path_a_, path_b_);
  }

  config::StateSpec spec_ = spec_of(11);
  const std::string base_ = (fs::temp_directory_path() / ("xlstm_state_diff_" + std::to_string(getpid()))).string();
  const fs::path path_a_ = base_ + "a", path_b_ = base_ + "b";
};

TEST_F(StateDiffTest, EqualStatesAreEqualHoweverTheyAreStored) {
  const StateDiff found = diff(filled(spec_, 0.5f), filled(spec_, 0.5f));
  EXPECT_TRUE(found.equal);
  EXPECT_EQ(found.common_ids, 3u);
  ASSERT_EQ(found.layers.size(), 11u);
  for (std::size_t i = 0; i < 11; ++i) EXPECT_EQ(found.layers[i].name, std::to_string(i));
  EXPECT_EQ(found.tensors.size(), 33u);
}

TEST_F(StateDiffTest, OneValueIsFoundInItsTensorAndItsLayer) {
  const state::StateFile a = filled(spec_, -2.0f);
  state::StateFile b = a;
  const config::StateTensor& tensor = spec_.tensors[3 * 10];  // 10.c, four values; its layer has seven
  b.slot[static_cast<std::size_t>(tensor.offset)] = -1.0f;
  const StateDiff found = diff(a, b);
  EXPECT_FALSE(found.equal);
  for (const NamedDifference& row : found.tensors) {
    const bool changed = row.name == "10.c";
    EXPECT_EQ(row.difference.same_bits, !changed) << row.name;
    EXPECT_EQ(row.difference.max_absolute, changed ? 1.0 : 0.0) << row.name;
    EXPECT_EQ(row.difference.mean_absolute, changed ? 0.25 : 0.0) << row.name;
    EXPECT_EQ(row.difference.max_relative, changed ? 0.5 : 0.0) << row.name;
    EXPECT_EQ(row.difference.mean_relative, changed ? 0.125 : 0.0) << row.name;
  }
  EXPECT_DOUBLE_EQ(found.layers[10].difference.mean_absolute, 1.0 / 7);
  EXPECT_TRUE(found.layers[9].difference.same_bits);
}

TEST_F(StateDiffTest, ZerosAndSignsCount) {
  const StateDiff from_zero = diff(filled(spec_, 0.0f), filled(spec_, 1.0f));
  EXPECT_TRUE(std::isinf(from_zero.layers[0].difference.max_relative));
  const StateDiff sign = diff(filled(spec_, 0.0f), filled(spec_, -0.0f));
  EXPECT_FALSE(sign.equal);
  EXPECT_EQ(sign.layers[0].difference.max_absolute, 0);
}

TEST_F(StateDiffTest, OtherIdsOrLogitsAreADifference) {
  const state::StateFile a = filled(spec_, 1.0f);
  state::StateFile b = a;
  b.ids = {1, 2, 4, 5};
  EXPECT_FALSE(diff(a, b).equal);
  EXPECT_EQ(diff(a, b).common_ids, 2u);
  state::StateFile c = a, d = a;
  c.logits = {1, 2};
  d.logits = {1, 3};
  EXPECT_FALSE(diff(c, d).equal);
  EXPECT_EQ(diff(c, d).tensors.back().name, "logits");
  EXPECT_TRUE(diff(a, d).equal) << "logits that only one has";
  d.logits = {1};
  tests::expect_error(ErrorCode::invalid_argument, "expected tensor logits [2]", [&] { diff(c, d); });
}

TEST_F(StateDiffTest, StatesOfOtherShapesAreRefused) {
  const config::StateSpec longer = spec_of(12);
  state::save_state(path_a_, spec_, filled(spec_, 1.0f));
  state::save_state(path_b_, longer, filled(longer, 1.0f));
  tests::expect_error(ErrorCode::invalid_argument, "state.11", [&] { diff_states(path_a_, path_b_); });
  tests::expect_error(ErrorCode::invalid_argument, "state.11", [&] { diff_states(path_b_, path_a_); });
}

}  // namespace
}  // namespace xlstm::engine
