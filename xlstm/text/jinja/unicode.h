// Code points of well-formed UTF-8, and Python's ideas of letters, case and blanks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace xlstm::text::jinja {

/// Bytes of the character that begins with `lead`. REQUIRES: well-formed UTF-8, here and below.
std::size_t code_point_size(char lead) noexcept;
std::size_t count_code_points(std::string_view text) noexcept;
/// Byte where code point `index` begins; the size of the text when it has no more.
std::size_t byte_offset(std::string_view text, std::size_t index) noexcept;
/// The character that begins at byte `place`; moves `place` behind it.
char32_t read_code_point(std::string_view text, std::size_t& place) noexcept;
void append_code_point(char32_t code, std::string& out);
bool is_well_formed(std::string_view text) noexcept;
/// At most `bytes` bytes of it, whole characters.
std::string cut_utf8(std::string_view text, std::size_t bytes);

/// str.isspace and its like, of one character.
bool is_space(char32_t code) noexcept;
bool is_digit(char32_t code) noexcept;
bool is_decimal(char32_t code) noexcept;
bool is_numeric(char32_t code) noexcept;
bool is_alpha(char32_t code) noexcept;
bool is_lower(char32_t code) noexcept;
bool is_upper(char32_t code) noexcept;
/// A titlecase letter such as U+01C5.
bool is_title(char32_t code) noexcept;
/// What repr() shows as it is.
bool is_printable(char32_t code) noexcept;

/// str.upper, lower, capitalize, title: full mappings, the final sigma among them.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string capitalize(std::string_view text);
std::string to_title(std::string_view text);

/// str.strip and its like; `characters` null: blanks.
std::string_view strip_left(std::string_view text, const std::string* characters);
std::string_view strip_right(std::string_view text, const std::string* characters);

}  // namespace xlstm::text::jinja
