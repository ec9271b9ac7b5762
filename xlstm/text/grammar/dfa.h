// The subset construction: one rule as an automaton that is deterministic in its bytes and in the rules it calls.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "xlstm/text/grammar/nfa.h"

namespace xlstm::text::grammar {

inline constexpr std::uint32_t kNoState = 0xFFFFFFFF;

/// Read what `rule` matches, then go on at `then`.
struct Call {
  RuleId rule;
  std::uint32_t then;
};

/// State 0 is the start.
struct Dfa {
  std::vector<std::uint32_t> next;       // [state][byte class]: a state or kNoState
  std::vector<std::uint8_t> final;       // [state]: 1 if the rule may end here
  std::vector<std::vector<Call>> calls;  // [state]: at most one of each rule
};

/// The part of the states that `start` reaches. `work` counts the NFA states looked at, over all rules of a grammar.
/// Errors: invalid_argument, naming `rule`, beyond kMaxStates or kMaxSubsetWork.
Dfa determinize(const std::vector<NfaState>& states, std::uint32_t start, const ByteClasses& classes,
                std::string_view rule, std::size_t& work);

}  // namespace xlstm::text::grammar
