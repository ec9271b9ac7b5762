#include "xlstm/text/jinja/literals.h"

#include <charconv>
#include <cstdint>
#include <string>

#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

bool is_digit_of(char c, int base) {
  if (c >= '0' && c <= '9') return c - '0' < base;
  const char small = static_cast<char>(c | 0x20);
  return base == 16 && small >= 'a' && small <= 'f';
}

// Digits with single underscores between them (or, `leading`, one before them as well), from `place` on.
std::size_t skip_digits(std::string_view text, std::size_t place, int base, bool leading = false) {
  std::size_t end = place;
  for (std::size_t i = place; i < text.size();) {
    if (text[i] == '_' && (i > place || leading)) ++i;
    if (i == text.size() || !is_digit_of(text[i], base)) break;
    end = ++i;
  }
  return end;
}

// "." digits, exponent; 0 when there is neither.
std::size_t skip_fraction(std::string_view text, std::size_t place) {
  std::size_t end = place;
  if (end < text.size() && text[end] == '.') {
    const std::size_t digits = skip_digits(text, end + 1, 10);
    if (digits > end + 1) end = digits;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t digits = end + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
    const std::size_t exponent_end = skip_digits(text, digits, 10);
    if (exponent_end > digits) end = exponent_end;
  }
  return end == place ? 0 : end;
}

std::string without_underscores(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_') digits += c;
  }
  return digits;
}

Value parse_int(std::string_view text, int base, Position position) {
  const std::string digits = without_underscores(text);
  std::int64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (result.ec != std::errc()) fail_at(position, "expected an int of 64 bits but got " + std::string(text));
  return value;
}

int base_of(char letter) {
  switch (letter | 0x20) {
    case 'b':
      return 2;
    case 'o':
      return 8;
    case 'x':
      return 16;
    default:
      return 10;
  }
}

// What stands behind a backslash at `place`: appends it and moves `place` behind it.
void read_escape(std::string_view text, std::size_t& place, Position position, std::string& out) {
  const char c = text[place++];
  constexpr std::string_view kLetters = "abfnrtv\\'\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  if (const std::size_t letter = kLetters.find(c); letter != std::string_view::npos) {
    out += kMeanings[letter];
    return;
  }
  if (c == '\n') return;
  const bool octal = c >= '0' && c <= '7';
  std::size_t size = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (octal) {
    --place;
    size = 1;
    while (size < 3 && place + size < text.size() && text[place + size] >= '0' && text[place + size] <= '7') ++size;
  }
  if (c == 'N') fail_at(position, "\\N{...} in a string is not supported");
  if (static_cast<unsigned char>(c) >= 0x80)
    fail_at(position, "a backslash before a letter beyond ASCII is not supported");
  if (size == 0) {  // no escape: both stay
    out += {'\\', c};
    return;
  }
  const std::string digits(text.substr(place, size));
  std::uint32_t code = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), code, octal ? 8 : 16);
  const bool whole = digits.size() == size && result.ec == std::errc() && result.ptr == digits.data() + size;
  if (!whole || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    fail_at(position, "expected the code of a character behind \"\\" + std::string(1, c) + "\" but got \"" +
                          cut_utf8(digits, size) + '"');
  }
  append_code_point(code, out);
  place += size;
}

}  // namespace

std::pair<Value, std::size_t> read_number(std::string_view text, bool behind_dot, Position position) {
  const std::size_t digits_end = skip_digits(text, 0, 10);
  if (!behind_dot) {
    if (const std::size_t end = skip_fraction(text, digits_end); end != 0) {
      const std::string digits = without_underscores(text.substr(0, end));
      double value = 0;
      const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (result.ec == std::errc()) return {value, end};
      fail_at(position, "expected a float of 64 bits but got " + digits);
    }
  }
  const int base = text.size() > 1 && text[0] == '0' ? base_of(text[1]) : 10;
  if (base != 10) {
    const std::size_t end = skip_digits(text, 2, base, true);
    if (end > 2) return {parse_int(text.substr(2, end - 2), base, position), end};
  }
  if (text[0] != '0') return {parse_int(text.substr(0, digits_end), 10, position), digits_end};
  std::size_t end = 1;  // only zeros may follow a zero
  while (end < digits_end && (text[end] == '0' || (text[end] == '_' && text[end + 1] == '0'))) ++end;
  return {std::int64_t{0}, end};
}

std::pair<Value, std::size_t> read_string(std::string_view text, Position position) {
  const char quote = text[0];
  std::string value;
  std::size_t place = 1;
  while (place < text.size() && text[place] != quote) {
    if (text[place] != '\\') {
      value += text[place++];
      continue;
    }
    if (++place == text.size()) break;
    read_escape(text, place, position, value);
  }
  if (place >= text.size())
    fail_at(position, std::string("expected ") + quote + " to close the string but got the end");
  return {constant_text(std::move(value)), place + 1};
}

}  // namespace xlstm::text::jinja
