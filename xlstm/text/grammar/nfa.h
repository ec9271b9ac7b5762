// Expressions lowered to bytes: a nondeterministic automaton of a grammar's rules.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

struct NfaState {
  enum class Kind : std::uint8_t { range, split, call, final };
  Kind kind;
  std::uint8_t first = 0;  // range: the bytes first .. last lead to `next`
  std::uint8_t last = 0;
  std::uint32_t next = 0;   // split: to `next` and to `other`, reading nothing
  std::uint32_t other = 0;  // call: reads what rule `other` matches, then `next`
};

/// One rule.
struct Nfa {
  std::vector<NfaState> states;
  std::uint32_t start = 0;
};

/// Bytes that no state tells apart, numbered in their order.
struct ByteClasses {
  std::array<std::uint8_t, 256> of = {};
  std::uint32_t count = 0;
};

/// An automaton of each rule. Errors: invalid_argument for more than kMaxNfaStates in all, or what determinize() says
/// of a `both` or `difference`.
std::vector<Nfa> lower(const Grammar& grammar);
ByteClasses byte_classes(const std::vector<Nfa>& rules);

}  // namespace xlstm::text::grammar
