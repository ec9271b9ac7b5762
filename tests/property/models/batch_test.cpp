// A row of a batch has the bits it has alone, whatever its place, its neighbours and the number of threads.
#include <map>
#include <string>

#include "tests/property/models/models.h"

namespace xlstm::property {
namespace {

class Batch : public ModelLaw {
 protected:
  backend::Backend& backend_with(int threads) {
    std::unique_ptr<backend::Backend>& backend = backends_[threads];
    if (!backend) backend = make_backend(threads);
    return *backend;
  }

  /// A copy of a state in the memory of another backend.
  Read moved(const Read& from, backend::Backend& to) const {
    Read read{to.make_state(), from.logits};
    read.state->from_host(slot_of(*from.state, *model_));
    return read;
  }

 private:
  std::map<int, std::unique_ptr<backend::Backend>> backends_;
};

TEST_P(Batch, DecodedRowsHaveTheBitsTheyHaveAlone) {
  constexpr std::size_t kSequences = 9, kSteps = 3;
  std::vector<std::vector<TokenId>> prompts, next;
  std::vector<Read> before, alone;  // alone: one thread, one row, kSteps on
  for (std::size_t s = 0; s < kSequences; ++s) {
    prompts.push_back(text(choices_.between(1, 90)));
    next.push_back(text(kSteps));
    before.push_back(prefilled(backend_with(1), prompts.back()));
    alone.push_back({before.back().state->clone(), {}});
    decode(backend_with(1), alone.back(), next.back());
  }
  for (int round = 0; round < 24; ++round) {
    const std::size_t rows = round < 9 ? std::size_t(round) + 1 : choices_.between(1, 9);
    const int threads = static_cast<int>(choices_.between(1, 4));
    SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(threads) + " threads");
    backend::Backend& backend = backend_with(threads);
    std::vector<std::size_t> who(rows);  // with repeats: two rows may hold equal sequences
    std::vector<Read> reads;
    for (std::size_t& s : who) {
      s = choices_.between(0, kSequences - 1);
      reads.push_back(moved(before[s], backend));
    }
    for (std::size_t step = 0; step < kSteps; ++step) {
      std::vector<backend::DecodeRow> batch;
      for (std::size_t r = 0; r < rows; ++r)
        batch.push_back({next[who[r]][step], reads[r].state.get(), reads[r].logits});
      backend.decode(batch);
    }
    for (std::size_t r = 0; r < rows; ++r) {
      SCOPED_TRACE("row " + std::to_string(r));
      expect_same_bits(reads[r], alone[who[r]]);
    }
  }
}

TEST_P(Batch, PrefilledRowsOfUnequalLengthsHaveTheBitsTheyHaveAlone) {
  for (int round = 0; round < 8; ++round) {
    const std::size_t rows = choices_.between(1, 5);
    backend::Backend& backend = backend_with(static_cast<int>(choices_.between(1, 4)));
    SCOPED_TRACE(std::to_string(rows) + " rows, " + std::to_string(backend.num_threads()) + " threads");
    std::vector<std::vector<TokenId>> tokens;
    std::vector<Read> alone, together;
    std::vector<backend::PrefillRow> batch;
    for (std::size_t r = 0; r < rows; ++r) {
      tokens.push_back(text(choices_.between(1, r % 2 == 0 ? 200 : 20)));
      alone.push_back(prefilled(backend_with(1), tokens[r]));
      together.push_back({backend.make_state(), std::vector<float>(vocab())});
      batch.push_back({tokens[r], together[r].state.get(), backend::Logits::last, together[r].logits});
    }
    backend.prefill(batch);
    for (std::size_t r = 0; r < rows; ++r) {
      SCOPED_TRACE("row " + std::to_string(r) + " of " + std::to_string(tokens[r].size()) + " tokens");
      expect_same_bits(together[r], alone[r]);
    }
  }
}

TEST_P(Batch, EveryPositionOfAPrefilledRowHasTheBitsItHasAlone) {
  const std::vector<std::vector<TokenId>> tokens = {text(70), text(3), text(33)};
  std::vector<std::vector<float>> alone, together;
  std::vector<std::unique_ptr<backend::State>> states;
  std::vector<backend::PrefillRow> batch;
  for (const auto& row_tokens : tokens) {
    alone.emplace_back(row_tokens.size() * vocab());
    const auto state = backend_with(1).make_state();
    const backend::PrefillRow row{row_tokens, state.get(), backend::Logits::all, alone.back()};
    backend_with(1).prefill(std::span(&row, 1));
  }
  for (std::size_t r = 0; r < tokens.size(); ++r) {
    together.emplace_back(tokens[r].size() * vocab());
    states.push_back(backend_with(3).make_state());
    const bool skip = r == 1;  // a neighbour that wants nothing
    batch.push_back({tokens[r], states[r].get(), skip ? backend::Logits::none : backend::Logits::all,
                     skip ? std::span<float>() : std::span<float>(together[r])});
  }
  backend_with(3).prefill(batch);
  EXPECT_TRUE(parity::same_bits(together[0], alone[0]));
  EXPECT_TRUE(parity::same_bits(together[2], alone[2]));
}

XLSTM_FOR_BOTH_MODELS_AND_STATES(Batch);

}  // namespace
}  // namespace xlstm::property
