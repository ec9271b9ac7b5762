// What the tokens of a vocabulary do in each state of a grammar, worked out once and kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "xlstm/text/grammar/automaton.h"
#include "xlstm/text/grammar/token_trie.h"
#include "xlstm/text/grammar/vocabulary.h"

namespace xlstm::text::grammar {

/// Tokens of one trie, read from one state with an unknown stack.
struct StateMask {
  std::vector<std::uint32_t> bits;  // of tokens that can be read whatever the stack is; empty: `ids` has them
  std::vector<std::uint32_t> ids;
  TokenTrie rests;  // of the others: what is still to be read when the state's rule has ended, for each way it may end
};

/// A grammar and a vocabulary brought together; matchers share it. Masks of states are made when first asked for, or
/// all of them by warm_up(). Memory: at most V / 8 bytes a state, a few bytes for most. Thread-safe.
class TokenMasks {
 public:
  TokenMasks(CompiledGrammar grammar, std::shared_ptr<const Vocabulary> vocabulary);
  ~TokenMasks();
  TokenMasks(const TokenMasks&) = delete;
  TokenMasks& operator=(const TokenMasks&) = delete;

  /// Makes the masks that are not made yet, so that no step waits for one: 10 us to some ms each at 50,000 tokens.
  /// Errors: as GrammarMatcher::fill_mask().
  void warm_up() const;
  /// Number of distinct masks of states.
  std::size_t num_masks() const noexcept { return representatives_.size(); }

  const Automaton& automaton() const noexcept { return *grammar_; }
  const Vocabulary& vocabulary() const noexcept { return *vocabulary_; }
  /// Short tokens and long ones (Vocabulary), read from a state.
  const StateMask& short_mask(std::uint32_t state) const;
  const StateMask& long_mask(std::uint32_t state) const;

 private:
  using Slot = std::atomic<const StateMask*>;
  const StateMask& get(Slot& slot, const TokenTrie& trie, std::uint32_t state) const;

  CompiledGrammar grammar_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::vector<std::uint32_t> class_of_;         // [state]: states that no short token tells apart
  std::vector<std::uint32_t> representatives_;  // [class]
  mutable std::vector<Slot> short_masks_;       // [class]
  mutable std::vector<Slot> long_masks_;        // [state]
};

/// [state]: the same number for states that agree on every text of up to `num_bytes` bytes and on what is left to do
/// after it, but for the stack beneath. Moore's partition refinement, stopped after that many rounds.
std::vector<std::uint32_t> equivalent_states(const Automaton& automaton, std::size_t num_bytes);

}  // namespace xlstm::text::grammar
