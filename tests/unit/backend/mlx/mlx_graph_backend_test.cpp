// The reference graph behind the Backend interface: states are values, cuts do not matter, faults change nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "tiny_model.h"
#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/backend/mlx/mlx_runtime.h"
#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

using Values = std::vector<float>;
using ModelPtr = std::shared_ptr<const model::Model>;

std::vector<ModelPtr> tiny_models() {
  return {testing::tiny_large_model(), testing::tiny_research_model(),
          testing::tiny_research_model(config::SlstmFunction::lstm)};
}

std::vector<TokenId> some_tokens(int count) {
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) tokens[static_cast<std::size_t>(i)] = (7 * i + 3) % 32;
  return tokens;
}

Values prefill(Backend& backend, State& state, std::span<const TokenId> tokens, Logits wanted = Logits::last) {
  const auto vocab = static_cast<std::size_t>(backend.model().config.vocab_size);
  Values logits(wanted == Logits::none ? 0 : wanted == Logits::last ? vocab : vocab * tokens.size(), NAN);
  const PrefillRow row{tokens, &state, wanted, logits};
  backend.prefill({&row, 1});
  return logits;
}

Values decode(Backend& backend, State& state, TokenId token) {
  Values logits(static_cast<std::size_t>(backend.model().config.vocab_size), NAN);
  const DecodeRow row{token, &state, logits};
  backend.decode({&row, 1});
  return logits;
}

Values slot_of(const Backend& backend, const State& state) {
  Values slot(static_cast<std::size_t>(backend.model().state_spec.slot_size), NAN);
  state.to_host(slot);
  return slot;
}

// NaN is near nothing.
void expect_near(const Values& got, const Values& want, const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 5e-5f) << what << " " << i;
}

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

TEST(MlxGraphBackend, HasNoOperationsToProfile) {
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  EXPECT_EQ(code_of([&] { backend->set_profile(nullptr); }), ErrorCode::unsupported);
}

TEST(MlxGraphBackend, ShowsNoStreams) {
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  EXPECT_EQ(code_of([&] { backend->set_observer(nullptr); }), ErrorCode::unsupported);
}

TEST(MlxGraphBackend, AnyCutOfTheStreamGivesTheSame) {
  for (const ModelPtr& model : tiny_models()) {
    const auto backend = make_mlx_backend(model, {});
    const std::vector<TokenId> tokens = some_tokens(11);
    const auto whole_state = backend->make_state();
    const Values whole = prefill(*backend, *whole_state, tokens);
    for (std::size_t cut = 0; cut < tokens.size(); ++cut) {
      const auto state = backend->make_state();
      Values logits;
      if (cut > 0) logits = prefill(*backend, *state, std::span(tokens).first(cut));
      for (const TokenId token : std::span(tokens).subspan(cut)) logits = decode(*backend, *state, token);
      expect_near(logits, whole, "logits, cut " + std::to_string(cut));
      expect_near(slot_of(*backend, *state), slot_of(*backend, *whole_state), "state, cut " + std::to_string(cut));
    }
  }
}

TEST(MlxGraphBackend, CuttingAtASegmentChangesNoBit) {
  for (const ModelPtr& model : tiny_models()) {
    const auto backend = make_mlx_backend(model, {});
    const std::vector<TokenId> tokens = some_tokens(10);
    const auto whole = backend->make_state(), parts = backend->make_state();
    const Values all = prefill(*backend, *whole, tokens, Logits::all);
    prefill(*backend, *parts, std::span(tokens).first(backend->prefill_segment()), Logits::none);
    const Values last = prefill(*backend, *parts, std::span(tokens).subspan(backend->prefill_segment()));
    EXPECT_EQ(slot_of(*backend, *whole), slot_of(*backend, *parts));
    expect_near(last, Values(all.end() - static_cast<std::ptrdiff_t>(last.size()), all.end()), "last logits");
  }
}

TEST(MlxGraphBackend, AllLogitsAreTheLogitsOfEachStep) {
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  const std::vector<TokenId> tokens = some_tokens(9);
  const auto at_once = backend->make_state(), stepwise = backend->make_state();
  const Values all = prefill(*backend, *at_once, tokens, Logits::all);
  Values steps;
  for (const TokenId token : tokens) {
    const Values one = decode(*backend, *stepwise, token);
    steps.insert(steps.end(), one.begin(), one.end());
  }
  expect_near(all, steps, "logits");
}

TEST(MlxGraphBackend, ACloneGoesItsOwnWay) {
  for (const ModelPtr& model : tiny_models()) {
    // given
    const auto backend = make_mlx_backend(model, {});
    const auto state = backend->make_state();
    prefill(*backend, *state, some_tokens(5));
    const Values before = slot_of(*backend, *state);
    const auto clone = state->clone();
    // when
    decode(*backend, *clone, 1);
    prefill(*backend, *clone, some_tokens(6));
    // then
    EXPECT_EQ(slot_of(*backend, *state), before);
    EXPECT_NE(slot_of(*backend, *clone), before);
  }
}

TEST(MlxGraphBackend, AStateComesBackFromTheHost) {
  for (const ModelPtr& model : tiny_models()) {
    const auto backend = make_mlx_backend(model, {});
    const auto state = backend->make_state(), copy = backend->make_state();
    EXPECT_EQ(slot_of(*backend, *state), Values(slot_of(*backend, *state).size(), 0.0f));
    prefill(*backend, *state, some_tokens(6));
    copy->from_host(slot_of(*backend, *state));
    EXPECT_EQ(decode(*backend, *state, 3), decode(*backend, *copy, 3));
    EXPECT_EQ(slot_of(*backend, *state), slot_of(*backend, *copy));
  }
}

TEST(MlxGraphBackend, RowsOfOneCallAreIndependent) {
  const auto backend = make_mlx_backend(testing::tiny_research_model(), {});
  const std::vector<TokenId> a = some_tokens(3), b = some_tokens(9);
  const auto alone = backend->make_state(), first = backend->make_state(), second = backend->make_state();
  const Values want = prefill(*backend, *alone, b);
  Values logits_a(32), logits_b(32);
  const PrefillRow rows[] = {{a, first.get(), Logits::last, logits_a}, {b, second.get(), Logits::last, logits_b}};
  backend->prefill(rows);
  EXPECT_EQ(logits_b, want);
  EXPECT_EQ(slot_of(*backend, *second), slot_of(*backend, *alone));
}

TEST(MlxGraphBackend, AFaultyCallChangesNoState) {
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  const auto state = backend->make_state(), other = backend->make_state();
  prefill(*backend, *state, some_tokens(4));
  const Values before = slot_of(*backend, *state);
  Values logits(32), more(32);
  const DecodeRow rows[] = {{1, state.get(), logits}, {32, other.get(), more}};
  EXPECT_EQ(code_of([&] { backend->decode(rows); }), ErrorCode::invalid_argument);
  EXPECT_EQ(slot_of(*backend, *state), before);
}

TEST(MlxGraphBackend, RefusesForeignStatesSlotsAndThreads) {
  class ForeignState : public State {
   public:
    std::unique_ptr<State> clone() const override { return std::make_unique<ForeignState>(); }
    void to_host(std::span<float>) const override {}
    void from_host(std::span<const float>) override {}
  } foreign;
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  const auto state = backend->make_state();
  Values slot(3);
  EXPECT_EQ(code_of([&] { decode(*backend, foreign, 1); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { state->to_host(slot); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of([&] { state->from_host(slot); }), ErrorCode::invalid_argument);
  std::thread([&] { EXPECT_EQ(code_of([&] { decode(*backend, *state, 1); }), ErrorCode::invalid_argument); }).join();
}

TEST(MlxGraphBackend, RefusesABfloat16State) {
  try {
    make_mlx_backend(testing::tiny_large_model(), {1, DType::bfloat16});
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_STREQ(error.what(), "[mlx] expected a state of float32, all that the reference graph has, but got bfloat16");
  }
}

TEST(MlxGraphBackend, StatesMayBeReadAndClonedElsewhere) {
  const auto backend = make_mlx_backend(testing::tiny_large_model(), {});
  auto state = backend->make_state();
  prefill(*backend, *state, some_tokens(7));
  const Values want = slot_of(*backend, *state);
  std::unique_ptr<State> clone;
  std::thread([&] {
    clone = state->clone();
    EXPECT_EQ(slot_of(*backend, *clone), want);
    state.reset();
  }).join();
  EXPECT_EQ(slot_of(*backend, *clone), want);
  EXPECT_EQ(decode(*backend, *clone, 2).size(), 32u);
}

TEST(MlxGraphBackend, MadeAgainAndAgainItTakesNoNewStream) {
  const ModelPtr model = testing::tiny_large_model();
  make_mlx_backend(model, {});
  const std::size_t streams = mlx::mx::get_streams().size();
  const std::size_t memory = mlx::mx::get_active_memory();
  for (int i = 0; i < 20; ++i) {
    const auto backend = make_mlx_backend(model, {});
    const auto state = backend->make_state();
    prefill(*backend, *state, some_tokens(6));
  }
  EXPECT_EQ(mlx::mx::get_streams().size(), streams);
  EXPECT_EQ(mlx::mx::get_active_memory(), memory);
}

}  // namespace
}  // namespace xlstm::backend
