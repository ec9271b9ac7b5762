// A grammar as a byte automaton with a stack: what the matcher runs.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "xlstm/text/grammar/dfa.h"
#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

using ByteSet = std::bitset<256>;

/// A way from a state, reading nothing, to one that reads a byte: return states go onto the stack, then `state` is
/// there.
struct Entry {
  std::uint32_t state;
  std::uint32_t pushes_begin;  // [begin, end) in Automaton::pushed(), the first below the others
  std::uint32_t pushes_end;
};

/// Every rule is deterministic in its bytes; only the stack tells parses of one text apart. From every state the end
/// can be reached, no rule calls itself before it has read a byte, and a call that ends its rule leaves nothing on the
/// stack. Immutable: safe from any thread.
class Automaton {
 public:
  /// Errors: invalid_argument beyond the limits of limits.h, for a grammar that matches no text, and for left
  /// recursion, naming the rule.
  explicit Automaton(const Grammar& grammar);

  std::uint32_t start() const noexcept { return start_; }
  std::size_t num_states() const noexcept { return ends_.size(); }
  /// The state that `byte` leads to, or kNoState.
  std::uint32_t next(std::uint32_t state, std::uint8_t byte) const noexcept {
    return next_[std::size_t{state} * classes_.count + classes_.of[byte]];
  }
  std::span<const Entry> entries(std::uint32_t state) const noexcept {
    return {entries_.data() + entries_begin_[state], entries_.data() + entries_begin_[state + 1]};
  }
  std::span<const std::uint32_t> pushed(const Entry& entry) const noexcept {
    return {pushes_.data() + entry.pushes_begin, pushes_.data() + entry.pushes_end};
  }
  /// The rule of the state may end here, reading nothing more.
  bool ends(std::uint32_t state) const noexcept { return ends_[state] != 0; }
  /// The only way on is to read a byte in this very state: entries() is {state}, ends() is false.
  bool is_plain(std::uint32_t state) const noexcept { return plain_[state] != 0; }
  /// next() for each byte class.
  std::span<const std::uint32_t> row(std::uint32_t state) const noexcept {
    return {next_.data() + std::size_t{state} * classes_.count, classes_.count};
  }
  RuleId rule_of(std::uint32_t state) const noexcept { return rule_of_[state]; }
  /// Bytes that lead from the state to itself.
  ByteSet loops(std::uint32_t state) const;
  /// Bytes that may stand behind what the state's rule matches.
  const ByteSet& follow(std::uint32_t state) const noexcept { return follow_[rule_of_[state]]; }
  /// The byte that alone leads on from the state; -1 if there are more.
  int only_byte(std::uint32_t state) const;

 private:
  friend class AutomatonBuilder;
  ByteClasses classes_;
  std::uint32_t start_ = 0;
  std::vector<std::uint32_t> next_;     // [state][class]
  std::vector<std::uint32_t> rule_of_;  // [state]
  std::vector<std::uint8_t> ends_;
  std::vector<std::uint8_t> plain_;
  std::vector<std::uint32_t> entries_begin_;  // [state], and the end of the last
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> pushes_;
  std::vector<ByteSet> follow_;  // [rule]
};

using CompiledGrammar = std::shared_ptr<const Automaton>;

}  // namespace xlstm::text::grammar
