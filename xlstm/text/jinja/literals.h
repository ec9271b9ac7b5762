// Numbers and strings as templates write them.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// The int or float at the beginning of `text`, and its size in bytes. Behind a dot a number is an int ("a.0.1").
/// Errors: invalid_argument beyond 64 bits.
std::pair<Value, std::size_t> read_number(std::string_view text, bool behind_dot, Position position);
/// The string in quotes at the beginning of `text`, and its size with the quotes. Errors: invalid_argument for what
/// Python's unicode_escape refuses, and for \N{...} and surrogates.
std::pair<Value, std::size_t> read_string(std::string_view text, Position position);

}  // namespace xlstm::text::jinja
