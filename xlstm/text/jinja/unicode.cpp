#include "xlstm/text/jinja/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

namespace xlstm::text::jinja {
namespace {

struct CodeRange {
  char32_t first, last;
};

constexpr CodeRange kSpaces[] = {{0x09, 0x0d},     {0x1c, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                 {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                 {0x205f, 0x205f}, {0x3000, 0x3000}};
// Digits that are no decimals: superscripts, circled digits, ...
constexpr CodeRange kOtherDigits[] = {{0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
                                      {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
                                      {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
                                      {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
                                      {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a}};

template <std::size_t N>
bool contains(const CodeRange (&ranges)[N], char32_t code) noexcept {
  return std::any_of(ranges, ranges + N, [code](CodeRange r) { return code >= r.first && code <= r.last; });
}

utf8proc_category_t category(char32_t code) noexcept { return utf8proc_category(static_cast<utf8proc_int32_t>(code)); }

}  // namespace

std::size_t code_point_size(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

std::size_t count_code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::size_t byte_offset(std::string_view text, std::size_t index) noexcept {
  std::size_t place = 0;
  for (; index > 0 && place < text.size(); --index) place += code_point_size(text[place]);
  return place;
}

char32_t read_code_point(std::string_view text, std::size_t& place) noexcept {
  const std::size_t size = code_point_size(text[place]);
  char32_t code = static_cast<unsigned char>(text[place]);
  if (size > 1) code &= 0x7fU >> size;
  for (std::size_t i = 1; i < size; ++i) code = (code << 6) | (static_cast<unsigned char>(text[place + i]) & 0x3fU);
  place += size;
  return code;
}

void append_code_point(char32_t code, std::string& out) {
  utf8proc_uint8_t bytes[4];
  const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

bool is_well_formed(std::string_view text) noexcept {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (std::size_t place = 0; place < text.size();) {
    if (bytes[place] < 0x80) {
      ++place;
      continue;
    }
    utf8proc_int32_t code;
    const auto size = utf8proc_iterate(bytes + place, static_cast<utf8proc_ssize_t>(text.size() - place), &code);
    if (size <= 0) return false;
    place += static_cast<std::size_t>(size);
  }
  return true;
}

std::string cut_utf8(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xc0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes));
}

bool is_space(char32_t code) noexcept { return contains(kSpaces, code); }
bool is_decimal(char32_t code) noexcept {
  return code < 0x80 ? code >= '0' && code <= '9' : category(code) == UTF8PROC_CATEGORY_ND;
}
bool is_digit(char32_t code) noexcept { return is_decimal(code) || contains(kOtherDigits, code); }

bool is_numeric(char32_t code) noexcept {
  const auto kind = category(code);
  return kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO;
}

bool is_alpha(char32_t code) noexcept {
  const auto kind = category(code);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}
bool is_lower(char32_t code) noexcept { return utf8proc_islower(static_cast<utf8proc_int32_t>(code)) != 0; }
bool is_upper(char32_t code) noexcept { return utf8proc_isupper(static_cast<utf8proc_int32_t>(code)) != 0; }
bool is_title(char32_t code) noexcept { return category(code) == UTF8PROC_CATEGORY_LT; }

bool is_printable(char32_t code) noexcept {
  if (code == ' ') return true;
  switch (category(code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

std::string_view strip_left(std::string_view text, const std::string* characters) {
  for (std::size_t place = 0; place < text.size();) {
    const std::size_t begin = place;
    const char32_t code = read_code_point(text, place);
    const bool strip = characters == nullptr ? is_space(code)
                                             : characters->find(text.substr(begin, place - begin)) != std::string::npos;
    if (!strip) return text.substr(begin);
  }
  return {};
}

std::string_view strip_right(std::string_view text, const std::string* characters) {
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while ((static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    std::size_t place = begin;
    const char32_t code = read_code_point(text, place);
    const bool strip =
        characters == nullptr ? is_space(code) : characters->find(text.substr(begin)) != std::string::npos;
    if (!strip) return text;
    text = text.substr(0, begin);
  }
  return text;
}

}  // namespace xlstm::text::jinja
