// llama.cpp's grammar notation.
#pragma once

#include <string_view>

#include "xlstm/text/grammar/expr.h"

namespace xlstm::text::grammar {

/// Reads rules `name ::= alternatives`: "literals" and [classes] with escapes, `.`, groups, `* + ?`, `{m}`, `{m,}`,
/// `{m,n}`, comments from `#`. The rule `root` is the whole text. A rule ends with its line, but for open groups and a
/// `|` at the end of the line or the beginning of the next.
/// Errors: invalid_argument, "line 3, column 5: expected ..." (columns count bytes), for anything else, a rule that is
/// missing or defined twice, and beyond the limits of limits.h.
Grammar parse_gbnf(std::string_view source);

}  // namespace xlstm::text::grammar
