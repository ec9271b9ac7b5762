// A bfloat16 state, by its definition: every decode step and every prefill segment is that of a float32 state, after
// which C is rounded.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/backend.h"
#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::testing {
namespace {

using backend::Backend;
using backend::State;
using Floats = std::vector<float>;

Floats slot_of(const Backend& backend, const State& state) {
  Floats slot(static_cast<std::size_t>(backend.model().state_spec.slot_size));
  state.to_host(slot);
  return slot;
}

Floats with_rounded_c(const config::StateSpec& spec, Floats slot) {
  for (const config::StateTensor& tensor : spec.tensors) {
    if (!tensor.is_matrix_memory) continue;
    for (std::int64_t i = tensor.offset; i < tensor.offset + tensor.size; ++i) {
      float& value = slot[static_cast<std::size_t>(i)];
      value = bfloat16_to_float32(float32_to_bfloat16(value));
    }
  }
  return slot;
}

/// Reads `tokens` in one call, which is one segment, or as single steps; logits of the last.
Floats read(Backend& backend, State& state, std::span<const TokenId> tokens, bool by_steps) {
  Floats logits(static_cast<std::size_t>(backend.model().config.vocab_size), NAN);
  if (by_steps) {
    const backend::DecodeRow row = {tokens.front(), &state, logits};
    backend.decode({&row, 1});
  } else {
    const backend::PrefillRow row = {tokens, &state, backend::Logits::last, logits};
    backend.prefill({&row, 1});
  }
  return logits;
}

class StateDtypeTest : public ::testing::TestWithParam<TinySpec> {
 protected:
  void TearDown() override { kernels::force_cpu_target(""); }
};

TEST_P(StateDtypeTest, EveryCallIsThatOfAFloat32StateWhoseCIsThenRounded) {
  const auto model = make_tiny_model(GetParam());
  const auto vocab = static_cast<double>(model->config.vocab_size);
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    const auto narrow = backend::make_backend("cpu", model, {2, DType::bfloat16});
    const auto wide = backend::make_backend("cpu", model, {2, DType::float32});
    const auto kept = narrow->make_state(), state = wide->make_state();
    for (const std::size_t count : {1, 1, 40, 1, 5, 256, 1, 4}) {
      std::vector<TokenId> tokens(count);
      for (std::size_t t = 0; t < count; ++t) tokens[t] = static_cast<TokenId>(uniform({count, t}) * vocab);
      const Floats logits = read(*narrow, *kept, tokens, count == 1),
                   expected = read(*wide, *state, tokens, count == 1);
      ASSERT_EQ(logits, expected) << target << ", " << count << " tokens";
      const Floats rounded = with_rounded_c(model->state_spec, slot_of(*wide, *state));
      ASSERT_EQ(slot_of(*narrow, *kept), rounded) << target << ", " << count << " tokens";
      state->from_host(rounded);
    }
  }
}

TEST_P(StateDtypeTest, SegmentsOfOneCallAreRoundedOneByOne) {
  const auto model = make_tiny_model(GetParam());
  const auto cpu = backend::make_backend("cpu", model, {1, DType::bfloat16});
  const std::vector<TokenId> tokens(2 * cpu->prefill_segment() + 5, 3);
  const auto whole = cpu->make_state(), cut = cpu->make_state();
  const Floats logits = read(*cpu, *whole, tokens, false);
  Floats cut_logits;
  for (std::size_t t = 0; t < tokens.size(); t += cpu->prefill_segment()) {
    const std::size_t count = std::min(cpu->prefill_segment(), tokens.size() - t);
    cut_logits = read(*cpu, *cut, std::span(tokens).subspan(t, count), false);
  }
  EXPECT_EQ(cut_logits, logits);
  EXPECT_EQ(slot_of(*cpu, *cut), slot_of(*cpu, *whole));
}

INSTANTIATE_TEST_SUITE_P(Tiny, StateDtypeTest, ::testing::ValuesIn(tiny_specs()),
                         [](const auto& spec) { return spec.param.name; });

TEST(StateDtypeOption, AnotherDtypeIsRefusedByName) {
  const auto model = make_tiny_model(tiny_specs().front());
  for (const DType dtype : {DType::float16, DType::float64, DType::int8}) {
    try {
      backend::make_backend("cpu", model, {1, dtype});
      ADD_FAILURE() << dtype_name(dtype);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_THAT(error.what(),
                  ::testing::HasSubstr("expected float32 or bfloat16 but got " + std::string(dtype_name(dtype))));
    }
  }
}

TEST(StateDtypeOption, TheDefaultIsFloat32) {
  const auto model = make_tiny_model(tiny_specs().front());
  EXPECT_EQ(backend::make_backend("cpu", model, {})->state_dtype(), DType::float32);
}

}  // namespace
}  // namespace xlstm::testing
