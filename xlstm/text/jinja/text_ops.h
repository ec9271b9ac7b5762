// Work on strings that filters, tests and methods share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/text/jinja/runtime.h"
#include "xlstm/text/jinja/value.h"

namespace xlstm::text::jinja {

/// str.strip(characters); None: blanks.
Value strip_text(Runtime& runtime, std::string_view text, const Value& characters, bool left, bool right);
/// str.replace(old_part, new_part, count); a negative count: all.
Value replace_text(Runtime& runtime, const std::string& text, const std::string& old_part, const std::string& new_part,
                   std::int64_t count);
/// str.split(separator, max_splits), or rsplit; None: blanks. A list.
Value split_text(Runtime& runtime, std::string_view text, const Value& separator, std::int64_t max_splits,
                 bool from_right);
/// str.splitlines()
std::vector<std::string> split_lines(Runtime& runtime, std::string_view text, bool keep_ends);
/// Where `part` stands in `text` first, at `from` or behind it, or npos; in linear time.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);
/// Where it stands last. Counts the steps of a search that may try each place.
std::size_t rfind_text(Runtime& runtime, std::string_view text, std::string_view part);
/// str.isupper(), str.islower()
bool is_upper_text(std::string_view text);
bool is_lower_text(std::string_view text);

}  // namespace xlstm::text::jinja
