#include "xlstm/engine/model_hash.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::engine {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = XLSTM_SOURCE_DIR;

checkpoint::Checkpoint read(const fs::path& directory) {
  return checkpoint::read_checkpoint(*checkpoint::open_directory(directory));
}

std::string hash_of(const model::Model& model, int threads = 2) {
  ThreadPool pool(threads);
  return model_hash(model, pool);
}
std::string hash_of(const checkpoint::Checkpoint& checkpoint) { return hash_of(*model::build_model(checkpoint)); }

class ModelHash : public testing::TestWithParam<const char*> {
 protected:
  checkpoint::Checkpoint checkpoint_ = read(kSource / GetParam());
  std::shared_ptr<const model::Model> model_ = model::build_model(checkpoint_);
  std::string hash_ = hash_of(*model_);
};

TEST_P(ModelHash, IsTheSameForAnyNumberOfThreads) {
  EXPECT_EQ(hash_.size(), 32u);
  EXPECT_EQ(hash_of(*model_, 1), hash_);
  EXPECT_EQ(hash_of(*model_, 5), hash_);
}

TEST_P(ModelHash, AnyWeightChangesIt) {
  std::set<std::string> hashes = {hash_};
  for (auto& [name, tensor] : checkpoint_.tensors) {
    std::vector<std::byte> bytes(tensor.nbytes());
    std::memcpy(bytes.data(), tensor.data, bytes.size());
    bytes[bytes.size() - 1] ^= std::byte{0x40};  // the exponent of the last element
    const std::byte* original = std::exchange(tensor.data, bytes.data());
    EXPECT_TRUE(hashes.insert(hash_of(checkpoint_)).second) << name;
    tensor.data = original;
  }
  EXPECT_EQ(hash_of(checkpoint_), hash_);
}

TEST_P(ModelHash, AnyConfigFieldThatMattersChangesIt) {
  using Change = std::function<void(config::ModelConfig&)>;
  const std::vector<Change> changes = {
      [](auto& c) { c.norm_eps *= 2; },
      [](auto& c) { c.mlstm_eps *= 2; },
      [](auto& c) { c.gate_soft_cap = c.gate_soft_cap.value_or(0) + 1; },
      [](auto& c) { c.output_logit_soft_cap = c.output_logit_soft_cap.value_or(0) + 1; },
      [](auto& c) { c.num_heads *= 2; },
      [](auto& c) { c.slstm_num_heads += 1; },
      [](auto& c) { c.slstm_function = config::SlstmFunction::lstm; },
  };
  std::set<std::string> hashes = {hash_};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    model::Model changed = *model_;
    changes[i](changed.config);
    EXPECT_TRUE(hashes.insert(hash_of(changed)).second) << i;
  }
}

TEST_P(ModelHash, WhatOnlyChangesRoundingOrTextDoesNotChangeIt) {
  model::Model changed = *model_;
  changed.config.chunk_size = 16;
  changed.config.eos_token_ids = {5};
  changed.config.bos_token_id = 7;
  EXPECT_EQ(hash_of(changed), hash_);
}

constexpr const char* kNames[] = {"bard_8m", "bytes_mixed", "quantised"};
INSTANTIATE_TEST_SUITE_P(Models, ModelHash,
                         testing::Values("models/bard-8m", "tests/data/bytes-mixed-1.5m",
                                         "tests/fuzz/corpus/good/wide_int4"),
                         [](const auto& test) { return kNames[test.index]; });

TEST(ModelHashOfFiles, FusedOrSingleDoesNotChangeItButHowWeightsAreStoredDoes) {
  const fs::path good = kSource / "tests/fuzz/corpus/good";
  const std::string int4 = hash_of(read(good / "wide_int4"));
  EXPECT_EQ(hash_of(read(good / "wide_int4_fused")), int4);
  std::set<std::string> hashes = {int4};
  for (const char* other : {"wide", "wide_int8", "wide_int4_float16", "wide_int4_modules"}) {
    EXPECT_TRUE(hashes.insert(hash_of(read(good / other))).second) << other;
  }
}

TEST(ModelHashOfFiles, ShardsDoNotChangeIt) {
  const fs::path whole = fs::temp_directory_path() / ("xlstm_model_hash_" + std::to_string(getpid()));
  fs::create_directory(whole);
  fs::copy_file(kSource / "models/bard-8m/config.json", whole / "config.json");
  const checkpoint::Checkpoint sharded = read(kSource / "models/bard-8m");
  std::vector<TensorView> tensors;
  for (const auto& [name, tensor] : sharded.tensors) tensors.push_back(tensor);
  std::reverse(tensors.begin(), tensors.end());
  checkpoint::write_safetensors(whole / "model.safetensors", tensors, {});

  const std::string hash = hash_of(read(whole));
  fs::remove_all(whole);

  EXPECT_EQ(hash, hash_of(sharded));
}

}  // namespace
}  // namespace xlstm::engine
