// The rules of a grammar in one numbering of states, without what leads to no end.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "xlstm/text/grammar/dfa.h"
#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

struct JoinedRules {
  ByteClasses classes;
  std::vector<std::uint32_t> next;       // [state][class]: a state or kNoState
  std::vector<RuleId> rule_of;           // [state]
  std::vector<std::uint8_t> final;       // [state]
  std::vector<std::vector<Call>> calls;  // [state]; then == kNoState: the rule is over when the call is
  std::vector<std::uint32_t> starts;     // [rule]

  std::uint32_t num_states() const noexcept { return static_cast<std::uint32_t>(final.size()); }
  std::span<const std::uint32_t> row(std::uint32_t state) const noexcept {
    return {next.data() + std::size_t{state} * classes.count, classes.count};
  }
  /// Some byte leads on from the state.
  bool reads(std::uint32_t state) const noexcept;
};

/// Errors: invalid_argument beyond the limits of limits.h, and for a grammar that matches no text.
JoinedRules join_rules(const Grammar& grammar);

}  // namespace xlstm::text::grammar
