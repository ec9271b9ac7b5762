#include <gtest/gtest.h>

#include <numeric>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::testing {
namespace {

using backend::State;

class CpuStateTest : public ::testing::Test {
 protected:
  std::vector<float> values_of(const State& state) const {
    std::vector<float> values(size_);
    state.to_host(values);
    return values;
  }
  std::vector<float> numbered() const {
    std::vector<float> values(size_);
    std::iota(values.begin(), values.end(), 1.0f);
    return values;
  }
  const std::shared_ptr<const model::Model> model_ = make_tiny_model(tiny_specs().front());
  const std::size_t size_ = static_cast<std::size_t>(model_->state_spec.slot_size);
  const std::unique_ptr<backend::Backend> cpu_ = backend::make_cpu_backend(model_, {1});
};

TEST_F(CpuStateTest, AFreshOneIsZeros) { EXPECT_EQ(values_of(*cpu_->make_state()), std::vector<float>(size_, 0.0f)); }

TEST_F(CpuStateTest, HoldsWhatTheHostGaveIt) {
  const auto state = cpu_->make_state();
  state->from_host(numbered());
  EXPECT_EQ(values_of(*state), numbered());
}

TEST_F(CpuStateTest, ACloneIsEqualAndApart) {
  const auto state = cpu_->make_state();
  state->from_host(numbered());
  const auto copy = state->clone();
  state->from_host(std::vector<float>(size_, -1.0f));
  EXPECT_EQ(values_of(*copy), numbered());
  EXPECT_EQ(values_of(*state), std::vector<float>(size_, -1.0f));
}

TEST_F(CpuStateTest, ACloneGoesOnWithTheSameBits) {
  const auto state = cpu_->make_state();
  std::vector<float> logits(static_cast<std::size_t>(model_->config.vocab_size)), copy_logits = logits;
  const backend::DecodeRow first = {3, state.get(), logits};
  cpu_->decode({&first, 1});
  const auto copy = state->clone();
  const backend::DecodeRow second = {4, state.get(), logits}, copied = {4, copy.get(), copy_logits};
  cpu_->decode({&second, 1});
  cpu_->decode({&copied, 1});
  EXPECT_EQ(copy_logits, logits);
  EXPECT_EQ(values_of(*copy), values_of(*state));
}

TEST_F(CpuStateTest, RefusesAHostSlotOfTheWrongSize) {
  const auto state = cpu_->make_state();
  for (const std::size_t wrong : {std::size_t{0}, size_ - 1, size_ + 1}) {
    std::vector<float> slot(wrong);
    try {
      state->from_host(slot);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find(std::to_string(size_) + " values but got " + std::to_string(wrong)),
                std::string::npos)
          << error.what();
    }
    EXPECT_THROW(state->to_host(slot), Error) << wrong;
  }
}

/// A state of somebody else's.
class ForeignState final : public State {
 public:
  std::unique_ptr<State> clone() const override { return std::make_unique<ForeignState>(); }
  void to_host(std::span<float>) const override {}
  void from_host(std::span<const float>) override {}
};

TEST_F(CpuStateTest, AStateOfAnotherBackendOrModelIsRefusedInEveryCall) {
  ForeignState foreign;
  const auto other_model = make_tiny_model(tiny_specs().back());
  const auto of_other_model = backend::make_cpu_backend(other_model, {1})->make_state();
  std::vector<float> logits(static_cast<std::size_t>(model_->config.vocab_size));
  const TokenId token = 0;
  for (State* state : {static_cast<State*>(&foreign), of_other_model.get()}) {
    const backend::PrefillRow prefill = {{&token, 1}, state, backend::Logits::last, logits};
    const backend::DecodeRow decode = {token, state, logits};
    EXPECT_THROW(cpu_->prefill({&prefill, 1}), Error);
    EXPECT_THROW(cpu_->decode({&decode, 1}), Error);
  }
}

TEST_F(CpuStateTest, OutlivesItsBackend) {
  std::unique_ptr<State> state;
  {
    const auto backend = backend::make_cpu_backend(model_, {1});
    state = backend->make_state();
    state->from_host(numbered());
  }
  EXPECT_EQ(values_of(*state), numbered());
}

}  // namespace
}  // namespace xlstm::testing
