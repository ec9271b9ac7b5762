#include "xlstm/tokenizer/utf8.h"

namespace xlstm::tokenizer {
namespace {

/// Length a lead byte promises and the range of the second byte (Unicode 15, table 3-7). Length 0: no lead byte.
struct Lead {
  int size;
  unsigned char second_low;
  unsigned char second_high;
};

constexpr Lead lead_of(unsigned char byte) noexcept {
  if (byte < 0xC2 || byte > 0xF4) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {4, 0x80, 0xBF};
}

}  // namespace

Utf8Char read_utf8(const char* begin, const char* end) noexcept {
  const auto byte = static_cast<unsigned char>(*begin);
  if (byte < 0x80) return {byte, 1, false};
  const Lead lead = lead_of(byte);
  if (lead.size == 0) return {kIllFormed, 1, false};
  char32_t code = byte & (0x7F >> lead.size);
  for (int i = 1; i < lead.size; ++i) {
    if (begin + i == end) return {kIllFormed, i, true};
    const auto next = static_cast<unsigned char>(begin[i]);
    const bool fits = i == 1 ? next >= lead.second_low && next <= lead.second_high : (next & 0xC0) == 0x80;
    if (!fits) return {kIllFormed, i, false};
    code = (code << 6) | (next & 0x3F);
  }
  return {code, lead.size, false};
}

Utf8Char read_utf8_backward(const char* begin, const char* end) noexcept {
  for (int size = 1; size <= 4 && size <= end - begin; ++size) {
    const auto byte = static_cast<unsigned char>(end[-size]);
    if ((byte & 0xC0) == 0x80) continue;
    const Utf8Char last = read_utf8(end - size, end);
    if (last.code != kIllFormed && last.size == size) return last;
    break;
  }
  return {kIllFormed, 1, false};
}

void append_utf8(char32_t code, std::string& out) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += {static_cast<char>(0xC0 | (code >> 6)), tail(0)};
  } else if (code < 0x10000) {
    out += {static_cast<char>(0xE0 | (code >> 12)), tail(6), tail(0)};
  } else {
    out += {static_cast<char>(0xF0 | (code >> 18)), tail(12), tail(6), tail(0)};
  }
}

std::size_t append_lossy(std::string_view bytes, bool at_end, std::string& out) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* at = begin;
  while (at != end) {
    const Utf8Char next = read_utf8(at, end);
    if (next.incomplete && !at_end) break;
    if (next.code == kIllFormed) {
      out += "\xEF\xBF\xBD";
    } else {
      out.append(at, static_cast<std::size_t>(next.size));
    }
    at += next.size;
  }
  return static_cast<std::size_t>(at - begin);
}

}  // namespace xlstm::tokenizer
