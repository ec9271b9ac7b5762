// Reading UTF-8 that may be ill-formed.
#pragma once

#include <string>
#include <string_view>

namespace xlstm::tokenizer {

/// What stands at one place of a text.
struct Utf8Char {
  char32_t code;    // kIllFormed when the bytes are no character
  int size;         // bytes; of ill-formed input the maximal subpart (Unicode 15, section 3.9, table 3-8)
  bool incomplete;  // ill-formed only because the text ends here
};

inline constexpr char32_t kIllFormed = 0xFFFFFFFF;

/// REQUIRES: begin < end.
Utf8Char read_utf8(const char* begin, const char* end) noexcept;
/// The character that ends at `end`; a lone byte when the bytes before `end` are ill-formed. REQUIRES: begin < end.
Utf8Char read_utf8_backward(const char* begin, const char* end) noexcept;

/// Appends the UTF-8 form. REQUIRES: a scalar value.
void append_utf8(char32_t code, std::string& out);

/// Appends `bytes` with U+FFFD for each maximal ill-formed subpart, as Rust's String::from_utf8_lossy does. With
/// `at_end` false an incomplete character at the end is left alone. Returns the number of bytes consumed.
std::size_t append_lossy(std::string_view bytes, bool at_end, std::string& out);

}  // namespace xlstm::tokenizer
