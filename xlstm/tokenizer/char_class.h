// What the tokenizer has to know about a code point.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "xlstm/tokenizer/utf8.h"

namespace xlstm::tokenizer {

/// The four classes the GPT-2 pattern tells apart: \p{L}, \p{N}, \s and the rest (ill-formed bytes are among the rest).
enum class CharClass : std::uint8_t { other, letter, number, space };

/// Classes follow Unicode 16, as the Oniguruma inside Hugging Face `tokenizers` 0.23.3 does; NFC facts follow utf8proc.
/// Immutable; safe from any thread.
class CharTable {
 public:
  /// Built at the first call (about a millisecond).
  static const CharTable& instance();

  CharClass char_class(char32_t code) const noexcept { return static_cast<CharClass>(entry(code) & kClassMask); }
  /// True when NFC leaves the character as it is and never joins it to what stands before it: text of such characters
  /// is in NFC, and text may be cut in front of one.
  bool is_nfc_inert(char32_t code) const noexcept { return (entry(code) & kNfcActive) == 0; }

 private:
  static constexpr std::uint8_t kClassMask = 3;
  static constexpr std::uint8_t kNfcActive = 4;
  static constexpr char32_t kBlockSize = 256;
  // Planes 4 and up hold nothing but unassigned, private and variation-selector code points: `other` and inert.
  static constexpr char32_t kLimit = 0x40000;

  CharTable();
  std::uint8_t entry(char32_t code) const noexcept {
    if (code >= kLimit) return 0;
    return blocks_[block_start_[code / kBlockSize] + code % kBlockSize];
  }

  std::array<std::uint32_t, kLimit / kBlockSize> block_start_;  // equal blocks are stored once
  std::vector<std::uint8_t> blocks_;
};

/// White_Space of Unicode, what \s means to Oniguruma and to Rust.
bool is_white_space(char32_t code) noexcept;
/// \w of Rust's regex: Alphabetic, Mark, decimal number, connector punctuation or join control.
bool is_word_character(char32_t code) noexcept;

}  // namespace xlstm::tokenizer
