#include "xlstm/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "xlstm/tokenizer/char_class.h"

namespace xlstm::tokenizer {
namespace {

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

/// First byte at or after `at` that is not ASCII.
const char* skip_ascii(const char* at, const char* end) {
  std::uint64_t bytes;
  while (end - at >= 8) {
    std::memcpy(&bytes, at, 8);
    if ((bytes & 0x8080808080808080u) != 0) break;
    at += 8;
  }
  while (at != end && static_cast<signed char>(*at) >= 0) ++at;
  return at;
}

void decompose(const char* at, const char* end, std::vector<utf8proc_int32_t>& parts) {
  std::array<utf8proc_int32_t, 8> buffer;
  while (at != end) {
    const Utf8Char next = read_utf8(at, end);
    int boundary = 0;
    const auto size =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(next.code), buffer.data(), buffer.size(),
                                static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &boundary);
    parts.insert(parts.end(), buffer.begin(), buffer.begin() + size);
    at += next.size;
  }
}

/// The canonical ordering algorithm. utf8proc's own (utf8proc_decompose) takes quadratic time on a long run of marks.
void order_marks(std::vector<utf8proc_int32_t>& parts) {
  const auto is_starter = [](utf8proc_int32_t code) { return combining_class(code) == 0; };
  const auto lower = [](utf8proc_int32_t a, utf8proc_int32_t b) { return combining_class(a) < combining_class(b); };
  for (auto first = parts.begin(); first != parts.end();) {
    first = std::find_if_not(first, parts.end(), is_starter);
    const auto last = std::find_if(first, parts.end(), is_starter);
    std::stable_sort(first, last, lower);
    first = last;
  }
}

/// NFC of well-formed text [begin, end).
void append_composed(const char* begin, const char* end, std::vector<utf8proc_int32_t>& parts, std::string& out) {
  parts.clear();
  decompose(begin, end, parts);
  order_marks(parts);
  const auto size = utf8proc_normalize_utf32(parts.data(), static_cast<utf8proc_ssize_t>(parts.size()),
                                             static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  for (utf8proc_ssize_t i = 0; i < size; ++i)
    append_utf8(static_cast<char32_t>(parts[static_cast<std::size_t>(i)]), out);
}

}  // namespace

std::string_view to_nfc(std::string_view text, std::string& storage) {
  const CharTable& table = CharTable::instance();
  const char* const end = text.data() + text.size();
  const char* copied = text.data();  // everything before is in `storage`
  const char* previous = nullptr;    // a well-formed character that ends at `at`
  std::vector<utf8proc_int32_t> parts;
  storage.clear();
  for (const char* at = text.data(); at != end;) {
    if (const char* beyond = skip_ascii(at, end); beyond != at) {
      previous = beyond - 1;
      at = beyond;
      continue;
    }
    const Utf8Char next = read_utf8(at, end);
    if (next.code == kIllFormed || table.is_nfc_inert(next.code)) {
      previous = next.code == kIllFormed ? nullptr : at;
      at += next.size;
      continue;
    }
    const char* const first = previous != nullptr ? previous : at;
    const char* last = at;
    for (Utf8Char c = next; c.code != kIllFormed && !table.is_nfc_inert(c.code);) {
      last += c.size;
      if (last == end) break;
      c = read_utf8(last, end);
    }
    storage.append(copied, first);
    append_composed(first, last, parts, storage);
    copied = at = last;
    previous = nullptr;  // what follows is inert or ill-formed
  }
  if (copied == text.data()) return text;
  storage.append(copied, end);
  return storage;
}

}  // namespace xlstm::tokenizer
