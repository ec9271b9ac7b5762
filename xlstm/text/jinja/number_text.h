// int() and float() of a str.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "xlstm/text/jinja/runtime.h"

namespace xlstm::text::jinja {

/// int(text, base): blanks around it, a sign, underscores between digits, the prefix of the base (base 0: any). Nothing
/// where Python raises ValueError; fails beyond 64 bits and for digits beyond ASCII.
std::optional<std::int64_t> parse_int(Runtime& runtime, std::string_view text, std::int64_t base);
/// float(text): as above, with "inf" and "nan".
std::optional<double> parse_float(Runtime& runtime, std::string_view text);
/// int(value) of a float; fails for what has no int of 64 bits, gives nothing for NaN.
std::optional<std::int64_t> truncate_float(Runtime& runtime, double value);

}  // namespace xlstm::text::jinja
