// However a stream of tokens is cut into prefills and decode steps, the model says the same.
#include <string>

#include "tests/property/models/models.h"

namespace xlstm::property {
namespace {

class Cuts : public ModelLaw {};

/// Those that change no bit at all.
class CutsOfSegments : public ModelLaw {};

TEST_P(Cuts, OneCutBetweenPrefillAndDecode) {
  const std::vector<TokenId> tokens = text(150);
  const Read whole = prefilled(*backend_, tokens);
  std::vector<std::size_t> cuts = {0, 1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 149, 150};
  for (int i = 0; i < 4; ++i) cuts.push_back(choices_.between(0, tokens.size()));
  for (const std::size_t cut : cuts) {
    SCOPED_TRACE("cut " + std::to_string(cut));
    Read split = fresh(*backend_);
    if (cut > 0) prefill(*backend_, split, std::span(tokens).first(cut));
    decode(*backend_, split, std::span(tokens).subspan(cut));
    expect_close(split, whole);
  }
}

TEST_P(Cuts, ManyCutsEitherWay) {
  for (int round = 0; round < 6; ++round) {
    const std::vector<TokenId> tokens = text(choices_.between(1, 400));
    const Read whole = prefilled(*backend_, tokens);
    Read split = fresh(*backend_);
    std::string cuts;
    for (std::size_t begin = 0, count = 0; begin < tokens.size(); begin += count) {
      count = std::min(choices_.between(1, choices_.between(0, 1) == 0 ? 5 : 150), tokens.size() - begin);
      const bool by_steps = choices_.between(0, 1) == 0;
      const std::span<const TokenId> piece = std::span(tokens).subspan(begin, count);
      by_steps ? decode(*backend_, split, piece) : prefill(*backend_, split, piece);
      cuts += (by_steps ? " step " : " prefill ") + std::to_string(count);
    }
    SCOPED_TRACE(cuts);
    expect_close(split, whole);
  }
}

TEST_P(Cuts, EveryPositionAtOnceOrOneByOne) {
  const std::vector<TokenId> tokens = text(130);
  std::vector<float> all(tokens.size() * vocab());
  Read whole = fresh(*backend_);
  const backend::PrefillRow row{tokens, whole.state.get(), backend::Logits::all, all};
  backend_->prefill(std::span(&row, 1));
  Read stepped = fresh(*backend_);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    decode(*backend_, stepped, std::span(tokens).subspan(t, 1));
    ASSERT_TRUE(parity::within(std::span(all).subspan(t * vocab(), vocab()), stepped.logits, kLogitBound))
        << "position " << t;
  }
}

TEST_P(CutsOfSegments, ChangeNoBit) {
  const std::size_t segment = backend_->prefill_segment();
  const std::vector<TokenId> tokens = text(3 * segment + 17);
  const Read whole = prefilled(*backend_, tokens);
  const std::vector<std::vector<std::size_t>> all_cuts = {
      {segment}, {2 * segment}, {3 * segment}, {segment, 3 * segment}, {segment, 2 * segment, 3 * segment}};
  for (const std::vector<std::size_t>& cuts : all_cuts) {
    SCOPED_TRACE("first cut " + std::to_string(cuts.front()) + ", pieces " + std::to_string(cuts.size() + 1));
    Read split = fresh(*backend_);
    std::size_t begin = 0;
    for (const std::size_t cut : cuts) {
      prefill(*backend_, split, std::span(tokens).subspan(begin, cut - begin));
      begin = cut;
    }
    prefill(*backend_, split, std::span(tokens).subspan(begin));
    expect_same_bits(split, whole);
  }
}

TEST_P(Cuts, TheChunkSizeIsIrrelevant) {
  const std::vector<TokenId> tokens = text(201);
  const Read expected = prefilled(*backend_, tokens);
  for (const std::int64_t chunk_size : {1, 2, 16, 64, 128}) {
    SCOPED_TRACE("chunk size " + std::to_string(chunk_size));
    auto model = std::make_shared<model::Model>(*model_);
    model->config.chunk_size = chunk_size;
    const auto backend = make_backend(model, 2);
    expect_close(prefilled(*backend, tokens), expected);
  }
}

TEST_P(CutsOfSegments, TheStateDoesNotDependOnWhichLogitsAreWanted) {
  const std::vector<TokenId> tokens = text(75);
  const Read expected = prefilled(*backend_, tokens);
  std::vector<float> all(tokens.size() * vocab());
  for (const backend::Logits wanted : {backend::Logits::none, backend::Logits::all}) {
    const auto state = backend_->make_state();
    const backend::PrefillRow row{tokens, state.get(), wanted,
                                  wanted == backend::Logits::all ? std::span<float>(all) : std::span<float>()};
    backend_->prefill(std::span(&row, 1));
    EXPECT_TRUE(parity::same_bits(slot_of(*state, *model_), slot_of(*expected.state, *model_)));
  }
  EXPECT_TRUE(parity::within(std::span(all).last(vocab()), expected.logits, kLogitBound));
}

XLSTM_FOR_BOTH_MODELS(Cuts);
XLSTM_FOR_BOTH_MODELS_AND_STATES(CutsOfSegments);

}  // namespace
}  // namespace xlstm::property
