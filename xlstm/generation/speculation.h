// Speculative decoding: decode steps that guess ahead, with the bits of plain ones.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/generation/draft.h"
#include "xlstm/generation/request.h"

namespace xlstm::generation {

inline constexpr std::size_t kMostDraftTokens = backend::kMaxVerifyTokens - 1;

/// How a request guesses ahead.
struct Speculation {
  Draft* draft = nullptr;  // of this request alone; null: plain decoding
  std::size_t tokens = 4;  // guessed at most a pass: 1 to kMostDraftTokens
};

/// Steps one sequence through the ids it is given. A pass verifies the next id and the guesses behind it; while the ids
/// given then are the guessed ones, their logits are there already. The state itself is behind until settle().
class SpeculativeSteps {
 public:
  /// before: the ids that the state has read. Errors: invalid_argument (a number of tokens beyond its bounds),
  /// unsupported (a backend that cannot verify).
  SpeculativeSteps(backend::Backend& backend, backend::State& state, const Speculation& speculation,
                   std::vector<TokenId> before);

  /// Logits [V] after `id`; at most `most` guesses are made behind it. Errors: those of the draft and of the backend,
  /// with the state settled.
  void step(TokenId id, std::size_t most, std::span<float> logits);
  /// Makes the state the one after all ids that were given.
  void settle();
  const SpeculationCounts& counts() const noexcept { return counts_; }

 private:
  std::vector<TokenId> guesses(std::size_t most);
  void pass(TokenId id, std::size_t most, std::span<float> logits);
  std::span<const float> logits_of(std::size_t row) const;

  backend::Backend& backend_;
  backend::State& state_;
  Speculation speculation_;
  std::vector<TokenId> text_;      // all ids so far
  std::vector<TokenId> verified_;  // of the last pass
  std::size_t used_ = 0;           // of these: given so far, not yet in the state; 0: the state is settled
  std::vector<float> logits_;      // [tokens + 1, V]
  SpeculationCounts counts_;
};

}  // namespace xlstm::generation
