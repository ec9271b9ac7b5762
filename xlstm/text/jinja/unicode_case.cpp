// Case mappings as Python's str has them: those of one letter to several, and the final sigma.
#include <utf8proc.h>

#include <algorithm>
#include <string_view>

#include "xlstm/text/jinja/unicode.h"

namespace xlstm::text::jinja {
namespace {

struct SpecialUpper {
  char32_t code;
  std::u32string_view upper;
};
constexpr SpecialUpper kSpecialUpper[] = {
#include "xlstm/text/jinja/special_casing.inc"
};

constexpr char32_t kSigma = 0x3a3;

std::u32string decode(std::string_view text) {
  std::u32string codes;
  for (std::size_t place = 0; place < text.size();) codes += read_code_point(text, place);
  return codes;
}

const SpecialUpper* special(char32_t code) {
  const auto* end = std::end(kSpecialUpper);
  const auto less = [](const SpecialUpper& entry, char32_t wanted) { return entry.code < wanted; };
  const auto* found = std::lower_bound(std::begin(kSpecialUpper), end, code, less);
  return found != end && found->code == code ? found : nullptr;
}

char32_t simple(utf8proc_int32_t (*map)(utf8proc_int32_t), char32_t code) {
  return static_cast<char32_t>(map(static_cast<utf8proc_int32_t>(code)));
}

void append_upper(char32_t code, std::string& out) {
  if (const SpecialUpper* entry = special(code)) {
    for (const char32_t c : entry->upper) append_code_point(c, out);
  } else {
    append_code_point(simple(utf8proc_toupper, code), out);
  }
}

// A letter of several capitals begins with one of them; the Greek iota subscript stays below its letter.
void append_title(char32_t code, std::string& out) {
  const SpecialUpper* entry = special(code);
  const char32_t title = simple(utf8proc_totitle, code);
  if (entry == nullptr || is_title(title)) return append_code_point(title, out);
  append_code_point(entry->upper[0], out);
  constexpr char32_t kApostropheN = 0x149;
  for (const char32_t c : entry->upper.substr(1)) {
    const char32_t small = c == 0x399 ? 0x345 : simple(utf8proc_tolower, c);
    append_code_point(code == kApostropheN ? c : small, out);
  }
}

bool is_cased(char32_t code) { return is_lower(code) || is_upper(code) || is_title(code); }

bool is_case_ignorable(char32_t code) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      constexpr std::u32string_view kMarks =
          U"'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a";
      return kMarks.find(code) != std::u32string_view::npos;
  }
}

// Behind a letter and before none.
bool is_final_sigma(const std::u32string& codes, std::size_t place) {
  std::size_t before = place;
  while (before > 0 && is_case_ignorable(codes[before - 1])) --before;
  if (before == 0 || !is_cased(codes[before - 1])) return false;
  std::size_t after = place + 1;
  while (after < codes.size() && is_case_ignorable(codes[after])) ++after;
  return after == codes.size() || !is_cased(codes[after]);
}

void append_lower(const std::u32string& codes, std::size_t place, std::string& out) {
  const char32_t code = codes[place];
  if (code == kSigma) {
    append_code_point(is_final_sigma(codes, place) ? 0x3c2 : 0x3c3, out);
  } else {
    append_code_point(simple(utf8proc_tolower, code), out);
    if (code == 0x130) append_code_point(0x307, out);  // i with its dot kept
  }
}

}  // namespace

std::string to_upper(std::string_view text) {
  std::string out;
  for (std::size_t place = 0; place < text.size();) append_upper(read_code_point(text, place), out);
  return out;
}

std::string to_lower(std::string_view text) {
  const std::u32string codes = decode(text);
  std::string out;
  for (std::size_t i = 0; i < codes.size(); ++i) append_lower(codes, i, out);
  return out;
}

std::string capitalize(std::string_view text) {
  const std::u32string codes = decode(text);
  std::string out;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (i == 0) {
      append_title(codes[i], out);
    } else {
      append_lower(codes, i, out);
    }
  }
  return out;
}

std::string to_title(std::string_view text) {
  const std::u32string codes = decode(text);
  std::string out;
  bool behind_cased = false;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (behind_cased) {
      append_lower(codes, i, out);
    } else {
      append_title(codes[i], out);
    }
    behind_cased = is_cased(codes[i]);
  }
  return out;
}

}  // namespace xlstm::text::jinja
