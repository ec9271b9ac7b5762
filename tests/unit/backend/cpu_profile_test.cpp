// The stopwatch of a pass: every operation of the network is named, as often as it runs, and nothing when nobody asks.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/profile.h"

namespace xlstm::testing {
namespace {

using backend::Profile;
using model::Op;

constexpr std::size_t kPrompt = 300;  // a segment of panels, and a second one

class CpuProfileTest : public ::testing::TestWithParam<TinySpec> {
 protected:
  Profile decode(std::int64_t steps) {
    Profile profile;
    backend_->set_profile(&profile);
    const auto state = backend_->make_state();
    for (std::int64_t i = 0; i < steps; ++i) {
      const backend::DecodeRow row{0, state.get(), logits_};
      backend_->decode({&row, 1});
    }
    backend_->set_profile(nullptr);
    return profile;
  }
  Profile prefill(std::size_t tokens) {
    Profile profile;
    backend_->set_profile(&profile);
    const auto state = backend_->make_state();
    const std::vector<TokenId> prompt(tokens, 1);
    const backend::PrefillRow row{prompt, state.get(), backend::Logits::last, logits_};
    backend_->prefill({&row, 1});
    backend_->set_profile(nullptr);
    return profile;
  }

  const std::shared_ptr<const model::Model> model_ = make_tiny_model(GetParam());
  const std::unique_ptr<backend::Backend> backend_ = backend::make_cpu_backend(model_, {2});
  std::vector<float> logits_ = std::vector<float>(static_cast<std::size_t>(model_->config.vocab_size));
};

/// The operations that cost something are those that were timed: no weight is read outside of a named operation.
void expect_all_named(const Profile& profile, const model::Costs& costs) {
  for (std::size_t i = 0; i < model::kNumOps; ++i) {
    const Op op{static_cast<std::uint8_t>(i)};
    if (op == Op::norm || op == Op::cell_norm) continue;  // may be without weights
    EXPECT_EQ(profile[op].laps > 0, costs[op].bytes > 0) << model::op_name(op);
    EXPECT_EQ(profile[op].seconds > 0, profile[op].laps > 0) << model::op_name(op);
  }
}

TEST_P(CpuProfileTest, NamesEveryOperationOfADecodeStep) {
  expect_all_named(decode(1), model::decode_costs(*model_, 1));
}

TEST_P(CpuProfileTest, NamesEveryOperationOfAPrefill) {
  expect_all_named(prefill(kPrompt), model::prefill_costs(*model_, 1, kPrompt, 256));
}

TEST_P(CpuProfileTest, CountsEveryCall) {
  const Profile one = decode(1), four = decode(4), prefilled = prefill(kPrompt);
  const std::int64_t blocks = std::ssize(model_->blocks);
  EXPECT_EQ(one[Op::embed].laps, 1);
  EXPECT_EQ(one[Op::head].laps, 1);
  EXPECT_EQ(one[Op::cell_norm].laps, blocks);
  EXPECT_EQ(prefilled[Op::cell_norm].laps, 2 * blocks);
  EXPECT_EQ(prefilled[Op::head].laps, 1);
  for (std::size_t i = 0; i < model::kNumOps; ++i) {
    const Op op{static_cast<std::uint8_t>(i)};
    EXPECT_EQ(four[op].laps, 4 * one[op].laps) << model::op_name(op);
  }
}

TEST_P(CpuProfileTest, IsLeftAloneWhenNobodyAsks) {
  Profile profile = decode(1);
  const std::int64_t before = profile[Op::head].laps;
  const auto state = backend_->make_state();
  const backend::DecodeRow row{0, state.get(), logits_};
  backend_->decode({&row, 1});
  EXPECT_EQ(profile[Op::head].laps, before);
}

INSTANTIATE_TEST_SUITE_P(Tiny, CpuProfileTest, ::testing::ValuesIn(tiny_specs()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace xlstm::testing
