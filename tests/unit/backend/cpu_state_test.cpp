#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::testing {
namespace {

using backend::State;

/// The parameter is what the backend keeps matrix memories in.
class CpuStateTest : public ::testing::TestWithParam<DType> {
 protected:
  std::vector<float> values_of(const State& state) const {
    std::vector<float> values(size_);
    state.to_host(values);
    return values;
  }
  /// Different values in neighbouring places, all of which bfloat16 has.
  std::vector<float> numbered() const {
    std::vector<float> values(size_);
    for (std::size_t i = 0; i < size_; ++i) values[i] = static_cast<float>(1 + i % 251);
    return values;
  }
  const std::shared_ptr<const model::Model> model_ = make_tiny_model(tiny_specs().front());
  const std::size_t size_ = static_cast<std::size_t>(model_->state_spec.slot_size);
  const std::unique_ptr<backend::Backend> cpu_ = backend::make_cpu_backend(model_, {1, GetParam()});
};

TEST_P(CpuStateTest, AFreshOneIsZeros) { EXPECT_EQ(values_of(*cpu_->make_state()), std::vector<float>(size_, 0.0f)); }

TEST_P(CpuStateTest, HoldsWhatTheHostGaveIt) {
  const auto state = cpu_->make_state();
  state->from_host(numbered());
  EXPECT_EQ(values_of(*state), numbered());
}

TEST_P(CpuStateTest, WhatTheHostGivesIsRoundedInMatrixMemoriesAlone) {
  EXPECT_EQ(cpu_->state_dtype(), GetParam());
  const std::vector<float> thirds(size_, 1.0f / 3), nans(size_, std::numeric_limits<float>::quiet_NaN());
  const auto state = cpu_->make_state(), lost = cpu_->make_state();
  state->from_host(thirds);
  lost->from_host(nans);
  const std::vector<float> kept = values_of(*state), kept_nans = values_of(*lost);
  const float rounded = GetParam() == DType::bfloat16 ? 0x1.56p-2f : 1.0f / 3;
  for (const config::StateTensor& tensor : model_->state_spec.tensors) {
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
      ASSERT_EQ(kept[static_cast<std::size_t>(i)], tensor.is_matrix_memory ? rounded : 1.0f / 3) << tensor.name;
      ASSERT_TRUE(std::isnan(kept_nans[static_cast<std::size_t>(i)])) << tensor.name;
    }
  }
}

TEST_P(CpuStateTest, ACloneIsEqualAndApart) {
  const auto state = cpu_->make_state();
  state->from_host(numbered());
  const auto copy = state->clone();
  state->from_host(std::vector<float>(size_, -1.0f));
  EXPECT_EQ(values_of(*copy), numbered());
  EXPECT_EQ(values_of(*state), std::vector<float>(size_, -1.0f));
}

TEST_P(CpuStateTest, ACloneGoesOnWithTheSameBits) {
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

TEST_P(CpuStateTest, RefusesAHostSlotOfTheWrongSize) {
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

TEST_P(CpuStateTest, AStateOfAnotherBackendModelOrDtypeIsRefusedInEveryCall) {
  ForeignState foreign;
  const auto other_model = make_tiny_model(tiny_specs().back());
  const auto of_other_model = backend::make_cpu_backend(other_model, {1, GetParam()})->make_state();
  const DType other_dtype = GetParam() == DType::float32 ? DType::bfloat16 : DType::float32;
  const auto of_other_dtype = backend::make_cpu_backend(model_, {1, other_dtype})->make_state();
  std::vector<float> logits(static_cast<std::size_t>(model_->config.vocab_size));
  const TokenId token = 0;
  for (State* state : {static_cast<State*>(&foreign), of_other_model.get(), of_other_dtype.get()}) {
    const backend::PrefillRow prefill = {{&token, 1}, state, backend::Logits::last, logits};
    const backend::DecodeRow decode = {token, state, logits};
    EXPECT_THROW(cpu_->prefill({&prefill, 1}), Error);
    EXPECT_THROW(cpu_->decode({&decode, 1}), Error);
  }
}

TEST_P(CpuStateTest, OutlivesItsBackend) {
  std::unique_ptr<State> state;
  {
    const auto backend = backend::make_cpu_backend(model_, {1, GetParam()});
    state = backend->make_state();
    state->from_host(numbered());
  }
  EXPECT_EQ(values_of(*state), numbered());
}

INSTANTIATE_TEST_SUITE_P(Kept, CpuStateTest, ::testing::Values(DType::float32, DType::bfloat16),
                         [](const auto& kept) { return std::string(dtype_name(kept.param)); });

}  // namespace
}  // namespace xlstm::testing
