// The state is a value: a copy goes on as the original would have, and nothing done to one touches the other.
#include <unistd.h>

#include <functional>
#include <string>

#include "tests/property/models/models.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"

namespace xlstm::property {
namespace {

class StateLaw : public ModelLaw {
 protected:
  /// A few tokens by prefill and a few by steps.
  void go_on(backend::Backend& backend, Read& read, std::span<const TokenId> tokens) const {
    prefill(backend, read, tokens.first(tokens.size() / 2));
    decode(backend, read, tokens.subspan(tokens.size() / 2));
  }
};

TEST_P(StateLaw, RestoredEqualsNeverStopped) {
  for (int round = 0; round < 4; ++round) {
    const std::vector<TokenId> past = text(choices_.between(1, 140)), future = text(choices_.between(2, 40));
    SCOPED_TRACE(std::to_string(past.size()) + " tokens, then " + std::to_string(future.size()));
    Read original = prefilled(*backend_, past);
    Read cloned{original.state->clone(), original.logits};
    Read rebuilt = fresh(*backend_);
    const auto other = make_backend(1);
    Read elsewhere = fresh(*other);
    const std::vector<float> slot = slot_of(*original.state, *model_);
    rebuilt.state->from_host(slot);
    elsewhere.state->from_host(slot);

    go_on(*backend_, original, future);
    go_on(*backend_, cloned, future);
    go_on(*backend_, rebuilt, future);
    go_on(*other, elsewhere, future);

    expect_same_bits(cloned, original);
    expect_same_bits(rebuilt, original);
    expect_same_bits(elsewhere, original);
  }
}

TEST_P(StateLaw, WorkOnACloneLeavesTheOriginalAsItWas) {
  Read original = prefilled(*backend_, text(40));
  const std::vector<float> before = slot_of(*original.state, *model_);
  for (int fork = 0; fork < 3; ++fork) {
    Read clone{original.state->clone(), {}};
    go_on(*backend_, clone, text(choices_.between(2, 100)));
    EXPECT_FALSE(parity::same_bits(slot_of(*clone.state, *model_), before));
    EXPECT_TRUE(parity::same_bits(slot_of(*original.state, *model_), before));
  }
}

TEST_P(StateLaw, WorkOnTheOriginalLeavesACloneAsItWas) {
  Read original = prefilled(*backend_, text(40));
  const std::vector<float> before = slot_of(*original.state, *model_);
  const auto clone = original.state->clone();
  go_on(*backend_, original, text(30));
  original.state.reset();
  EXPECT_TRUE(parity::same_bits(slot_of(*clone, *model_), before));
}

TEST_P(StateLaw, AFreshStateIsAllZeros) {
  const std::vector<float> zeros(static_cast<std::size_t>(model_->state_spec.slot_size));
  EXPECT_TRUE(parity::same_bits(slot_of(*backend_->make_state(), *model_), zeros));
}

TEST_P(StateLaw, BadRowsAreRefusedBeforeAnyStateChanges) {
  Read good = prefilled(*backend_, text(10)), bad = prefilled(*backend_, text(20));
  const std::vector<float> good_before = slot_of(*good.state, *model_), bad_before = slot_of(*bad.state, *model_);
  const auto vocab_id = static_cast<TokenId>(vocab());
  const std::vector<TokenId> tokens = {1, 2, 3};
  std::vector<float> enough(3 * vocab()), too_few(vocab() - 1);
  const std::span<float> last = std::span(enough).first(vocab());
  backend::State* state = bad.state.get();
  using backend::Logits;
  const std::vector<std::vector<TokenId>> bad_tokens = {{}, {1, -1}, {vocab_id}, {1, 2, vocab_id}, {1 << 30}};
  std::vector<backend::PrefillRow> bad_prefills = {{tokens, state, Logits::last, too_few},
                                                   {tokens, state, Logits::last, enough},
                                                   {tokens, state, Logits::all, last},
                                                   {tokens, state, Logits::none, last},
                                                   {tokens, nullptr, Logits::last, last}};
  for (const std::vector<TokenId>& ids : bad_tokens) bad_prefills.push_back({ids, state, Logits::last, last});
  const std::vector<backend::DecodeRow> bad_decodes = {
      {-1, state, last}, {vocab_id, state, last}, {1, state, too_few}, {1, state, enough}, {1, nullptr, last}};

  const auto expect_refused = [&](const std::function<void()>& action) {
    try {
      action();
      ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    }
    EXPECT_TRUE(parity::same_bits(slot_of(*good.state, *model_), good_before));
    EXPECT_TRUE(parity::same_bits(slot_of(*bad.state, *model_), bad_before));
  };
  for (std::size_t i = 0; i < bad_prefills.size(); ++i) {
    SCOPED_TRACE("prefill " + std::to_string(i));
    const std::vector<backend::PrefillRow> rows = {{tokens, good.state.get(), Logits::last, good.logits},
                                                   bad_prefills[i]};
    expect_refused([&] { backend_->prefill(rows); });
  }
  for (std::size_t i = 0; i < bad_decodes.size(); ++i) {
    SCOPED_TRACE("decode " + std::to_string(i));
    const std::vector<backend::DecodeRow> rows = {{1, good.state.get(), good.logits}, bad_decodes[i]};
    expect_refused([&] { backend_->decode(rows); });
  }
}

TEST_P(StateLaw, SavedAndRestoredInAnotherEngineEqualsNeverStopped) {
  const auto load = [&](int threads) {
    engine::LoadOptions options;
    options.model = std::filesystem::path(XLSTM_SOURCE_DIR) / GetParam().model;
    options.num_threads = threads;
    options.state_dtype = GetParam().state_dtype;
    return engine::Engine::load(options);
  };
  const auto path = std::filesystem::temp_directory_path() / ("xlstm_state_law_" + std::to_string(getpid()) + "_" +
                                                              std::to_string(choices_.between(0, 1 << 20)));
  const std::vector<TokenId> past = text(77), future = text(5);
  const auto first = load(2), second = load(1);
  engine::Session original = first->new_session();
  first->prefill(original, past);

  first->save(original, path);
  engine::Session restored = second->restore(path);
  std::filesystem::remove(path);

  EXPECT_EQ(restored.ids(), past);
  EXPECT_TRUE(parity::same_bits(second->prefill(restored, future), first->prefill(original, future)));
  EXPECT_TRUE(parity::same_bits(second->step(restored, 7), first->step(original, 7)));
  EXPECT_TRUE(parity::same_bits(slot_of(restored.state(), *model_), slot_of(original.state(), *model_)));
  EXPECT_EQ(restored.ids(), original.ids());
}

XLSTM_FOR_BOTH_MODELS_AND_STATES(StateLaw);

}  // namespace
}  // namespace xlstm::property
