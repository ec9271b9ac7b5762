#include "xlstm/text/jinja/number_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "xlstm/text/jinja/format.h"
#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

void refuse_other_digits(Runtime& runtime, std::string_view text) {
  for (std::size_t place = 0; place < text.size();) {
    const char32_t code = read_code_point(text, place);
    if (code >= 0x80 && is_decimal(code)) runtime.fail("a number of digits beyond ASCII is not supported");
  }
}

std::string_view strip(std::string_view text) { return strip_right(strip_left(text, nullptr), nullptr); }

bool take_sign(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  return negative;
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

// Without underscores; nothing if one does not stand between two digits (letters may be digits).
std::optional<std::string> join_digits(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_alphanumeric(text[i - 1]) || !is_alphanumeric(text[i + 1])) {
      return std::nullopt;
    }
  }
  return digits;
}

std::int64_t base_of_prefix(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  const char letter = static_cast<char>(text[1] | 0x20);
  return letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
}

}  // namespace

std::optional<std::int64_t> parse_int(Runtime& runtime, std::string_view text, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  runtime.work(text.size());
  refuse_other_digits(runtime, text);
  text = strip(text);
  const bool negative = take_sign(text);
  const std::int64_t prefixed = base_of_prefix(text);
  if (prefixed != 0 && (base == prefixed || base == 0)) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
    base = prefixed;
  } else if (base == 0) {
    base = 10;
    if (text.starts_with('0') && text.find_first_not_of("0_") != std::string_view::npos) return std::nullopt;
  }
  const auto digits = join_digits(text);
  if (!digits || digits->empty() || digits->front() == '-' || digits->front() == '+') return std::nullopt;
  const std::string written = (negative ? "-" : "") + *digits;
  std::int64_t value = 0;
  const char* const end = written.data() + written.size();
  const auto result = std::from_chars(written.data(), end, value, static_cast<int>(base));
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  if (result.ec != std::errc()) runtime.fail("expected an int of 64 bits but got ", written.substr(0, 48));
  return value;
}

std::optional<double> parse_float(Runtime& runtime, std::string_view text) {
  runtime.work(text.size());
  refuse_other_digits(runtime, text);
  text = strip(text);
  const bool negative = take_sign(text);
  const std::string name = to_lower(text);
  double value = 0;
  if (name == "inf" || name == "infinity") {
    value = std::numeric_limits<double>::infinity();
  } else if (name == "nan") {
    value = std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto digits = join_digits(text);
    // from_chars knows more names, Python not.
    if (!digits || digits->find_first_not_of("0123456789.eE+-") != std::string::npos) return std::nullopt;
    const char* const end = digits->data() + digits->size();
    if (digits->empty() || digits->front() == '-' || digits->front() == '+') return std::nullopt;
    const auto result = std::from_chars(digits->data(), end, value);
    if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
    if (result.ec != std::errc()) runtime.fail("expected a float of 64 bits but got ", digits->substr(0, 48));
  }
  return negative ? -value : value;
}

std::optional<std::int64_t> truncate_float(Runtime& runtime, double value) {
  if (std::isnan(value)) return std::nullopt;
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (!(value < kLimit && value >= -kLimit)) runtime.fail("expected an int of 64 bits but got ", float_text(value));
  return static_cast<std::int64_t>(value);
}

}  // namespace xlstm::text::jinja
