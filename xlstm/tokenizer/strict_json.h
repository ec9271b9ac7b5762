// JSON that comes from a file nobody vouches for.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace xlstm::tokenizer {

/// The largest public tokenizer.json has 33 MB.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{128} << 20;

/// Parses a whole JSON text. Errors: corrupt_file, one line that opens with `name`, for a syntax error, a key given
/// twice in one object, more than 32 levels, more than 8 million values or kMaxJsonBytes.
nlohmann::json parse_strict_json(std::string_view text, std::string_view name);

/// A piece of a file as it may stand in a message: in quotes, one line, ASCII, at most 48 bytes of it.
std::string in_quotes(std::string_view text);

}  // namespace xlstm::tokenizer
