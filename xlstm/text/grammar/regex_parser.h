// Regular expressions: the part of ECMA-262's that is regular.
#pragma once

#include <string_view>

#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

enum class RegexMatch {
  whole,     // the text from end to end; ^ and $ may be written
  anywhere,  // something within the text, as JSON Schema's `pattern`; ^ and $ bind it to the ends
};

/// Characters are code points. Known: literals, `.` (no \n \r U+2028 U+2029), [classes], \d \D \w \W (ASCII), \s \S
/// (ECMA-262's), \t \n \v \f \r \0 \xHH \uHHHH \u{H...} and escaped punctuation, groups (named and (?:) too), `|`,
/// `* + ? {m} {m,} {m,n}` (lazy ones match the same), ^ and $ at the ends of the outermost alternatives. The result is
/// of `chars` alone, without `text` but "". Errors: invalid_argument, `context` and "character 5: ..." (counted from
/// 1), naming what is refused: lookaround, backreferences, \b, \p, flags, anchors elsewhere.
ExprPtr parse_regex(std::string_view pattern, RegexMatch match, std::string_view context = "");

}  // namespace xlstm::text::grammar
