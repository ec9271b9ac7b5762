// The one internal form of all notations: rules over expressions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/text/grammar/code_points.h"

namespace xlstm::text::grammar {

using RuleId = std::uint32_t;
inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFF;

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

/// What a part of a text may be. Immutable, so that one expression may stand in many places.
struct Expr {
  enum class Kind {
    text,        // these bytes
    chars,       // one character of a set
    sequence,    // all parts, one behind the other
    choice,      // one of the parts; without parts: nothing at all, not even ""
    repeat,      // the part, min to max times
    rule,        // whatever the rule says
    shared,      // the part; lowered once for each place behind it, however often it stands before that place
    both,        // what both parts match; neither may name a rule
    difference,  // what the first part matches and the second does not; neither may name a rule
  };
  Kind kind;
  std::string bytes = {};
  CodePointSet set = {};
  std::vector<ExprPtr> parts = {};
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  RuleId rule = 0;
};

ExprPtr text(std::string bytes);
ExprPtr chars(CodePointSet set);
ExprPtr sequence(std::vector<ExprPtr> parts);
ExprPtr choice(std::vector<ExprPtr> parts);
ExprPtr repeat(ExprPtr part, std::uint32_t min, std::uint32_t max);
ExprPtr optional(ExprPtr part);
ExprPtr call(RuleId rule);
ExprPtr shared(ExprPtr part);
ExprPtr both(ExprPtr a, ExprPtr b);
ExprPtr difference(ExprPtr a, ExprPtr b);

struct Rule {
  std::string name;  // as messages show it
  ExprPtr body;      // null until it is defined
};

/// Rules may name each other, and themselves.
struct Grammar {
  std::vector<Rule> rules;
  RuleId root = 0;

  /// Errors: invalid_argument beyond kMaxRules.
  RuleId add(std::string_view name, ExprPtr body = nullptr);
};

/// A piece of a user's source as a message may show it: in quotes, ASCII, one line, at most 40 bytes of it.
std::string in_quotes(std::string_view source);

}  // namespace xlstm::text::grammar
