#include "xlstm/tokenizer/char_class.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <span>

namespace xlstm::tokenizer {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

bool contains(std::span<const Range> ranges, char32_t code) noexcept {
  return std::any_of(ranges.begin(), ranges.end(), [=](Range r) { return code >= r.first && code <= r.last; });
}

// Letters and numbers that Unicode 15.1 and 16 added; Debian's utf8proc 2.8.0 stops at 15.0.
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0x2EBF0, 0x2EE5D}, {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
    {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3},
    {0x11BC0, 0x11BE0}, {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF},
    {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0},
};
constexpr Range kNewNumbers[] = {
    {0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
    {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9}, {0x1E5F1, 0x1E5FA},
};
constexpr Range kWhiteSpace[] = {
    {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
    {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};
// Other_Alphabetic characters that are symbols by category: circled and squared Latin letters.
constexpr Range kAlphabeticSymbols[] = {{0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

CharClass classify(char32_t code) {
  if (is_white_space(code)) return CharClass::space;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::number;
    case UTF8PROC_CATEGORY_CN:
      if (contains(kNewLetters, code)) return CharClass::letter;
      return contains(kNewNumbers, code) ? CharClass::number : CharClass::other;
    default:
      return CharClass::other;
  }
}

/// Adds the code points that NFC may touch and that a look at `code` reveals: itself, and the last part of its
/// decomposition, which composes with what precedes it.
void mark_active(char32_t code, std::vector<bool>& active) {
  const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
  if (property->combining_class != 0) active[code] = true;
  const bool is_hangul_syllable = code >= 0xAC00 && code <= 0xD7A3;  // decomposed by rule, not by table
  if (property->decomp_seqindex == UINT16_MAX && !is_hangul_syllable) return;
  std::array<utf8proc_int32_t, 8> parts;
  int boundary = 0;
  const auto size =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), parts.data(), parts.size(),
                              static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_STABLE), &boundary);
  if (size <= 0 || static_cast<std::size_t>(size) > parts.size()) return;
  if (size > 1) active[static_cast<std::size_t>(parts[static_cast<std::size_t>(size) - 1])] = true;
  const auto composed =
      utf8proc_normalize_utf32(parts.data(), size, static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  if (composed != 1 || parts[0] != static_cast<utf8proc_int32_t>(code)) active[code] = true;
}

}  // namespace

bool is_white_space(char32_t code) noexcept { return contains(kWhiteSpace, code); }

bool is_word_character(char32_t code) noexcept {
  if (code == kIllFormed) return false;
  const CharClass kind = CharTable::instance().char_class(code);
  if (kind == CharClass::letter) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_PC:
      return true;
    case UTF8PROC_CATEGORY_CN:
      return kind == CharClass::number;  // the new numbers are all decimal digits
    default:
      return code == 0x200C || code == 0x200D || contains(kAlphabeticSymbols, code);
  }
}

const CharTable& CharTable::instance() {
  static const CharTable table;
  return table;
}

CharTable::CharTable() {
  std::vector<bool> active(kLimit);
  for (char32_t code = 0; code < kLimit; ++code) mark_active(code, active);
  std::map<std::array<std::uint8_t, kBlockSize>, std::uint32_t> known;
  for (char32_t first = 0; first < kLimit; first += kBlockSize) {
    std::array<std::uint8_t, kBlockSize> block;
    for (char32_t i = 0; i < kBlockSize; ++i) {
      block[i] =
          static_cast<std::uint8_t>(static_cast<unsigned>(classify(first + i)) | (active[first + i] ? kNfcActive : 0));
    }
    const auto [found, is_new] = known.emplace(block, static_cast<std::uint32_t>(blocks_.size()));
    if (is_new) blocks_.insert(blocks_.end(), block.begin(), block.end());
    block_start_[first / kBlockSize] = found->second;
  }
}

}  // namespace xlstm::tokenizer
