// The hand-written scanner against PCRE2 with the pattern itself, and the character table against utf8proc.
#include "xlstm/tokenizer/gpt2_scanner.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <rapidcheck/gtest.h>

#include "xlstm/tokenizer/regex_splitter.h"

namespace xlstm::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Pieces scan(std::string_view text) {
  Pieces pieces;
  Gpt2Scanner scanner(text);
  for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next()) pieces.emplace_back(piece);
  return pieces;
}

Pieces match(std::string_view text) {
  static const RegexSplitter splitter(kGpt2Pattern, false, "test");
  Pieces pieces;
  splitter.split(text, [&](std::string_view piece) { pieces.emplace_back(piece); });
  return pieces;
}

TEST(Gpt2Scanner, CutsLikeThePattern) {
  EXPECT_EQ(scan(""), Pieces{});
  EXPECT_EQ(scan("Hello, world!"), (Pieces{"Hello", ",", " world", "!"}));
  EXPECT_EQ(scan("we'll 'LL !'s"), (Pieces{"we", "'ll", " '", "LL", " !'", "s"}));
  EXPECT_EQ(scan("a  b\n\n c \t"), (Pieces{"a", " ", " b", "\n\n", " c", " \t"}));
  EXPECT_EQ(scan("\n a"), (Pieces{"\n", " a"}));
  EXPECT_EQ(scan("\na"), (Pieces{"\n", "a"}));
  EXPECT_EQ(scan("x1\xC2\xBD\xE4\xB8\xAD"), (Pieces{"x", "1\xC2\xBD", "\xE4\xB8\xAD"}));
  EXPECT_EQ(scan(" \xC2\xA0 a"), (Pieces{" \xC2\xA0", " a"}));
  EXPECT_EQ(scan("a \xFF\xE4!b"), (Pieces{"a", " \xFF\xE4!", "b"}));
}

/// A character that both sides put in the same class: PCRE2 10.42 knows Unicode 14, and calls U+180E a space.
bool both_know(char32_t code) {
  static const RegexSplitter letter("\\p{L}", false, "test"), number("\\p{N}", false, "test"),
      space("\\s", false, "test");
  const auto matches = [&](const RegexSplitter& splitter) {
    std::string text = "\x01\x01";  // of no class
    text.insert(1, [&] {
      std::string c;
      append_utf8(code, c);
      return c;
    }());
    int num_pieces = 0;
    splitter.split(text, [&](std::string_view) { ++num_pieces; });
    return num_pieces == 3;
  };
  switch (CharTable::instance().char_class(code)) {
    case CharClass::letter:
      return matches(letter);
    case CharClass::number:
      return matches(number);
    case CharClass::space:
      return matches(space);
    default:
      return !matches(letter) && !matches(number) && !matches(space);
  }
}

RC_GTEST_PROP(Gpt2Scanner, EqualsPcre2OnAnyText, ()) {
  const auto frequent =
      rc::gen::elementOf(std::u32string(U" \n\t'sltrvemda1! \u00A0\u3000\u0301\u00E9\u4E2D\u00BD\u2167"));
  std::string text;
  for (const char32_t code : *rc::gen::container<std::vector<char32_t>>(rc::gen::oneOf(
           frequent, frequent, rc::gen::inRange<char32_t>(0, 0x3000), rc::gen::inRange<char32_t>(0xE000, 0x20000)))) {
    if (both_know(code)) append_utf8(code, text);
  }
  RC_ASSERT(scan(text) == match(text));
}

RC_GTEST_PROP(Gpt2Scanner, LeavesNoGapInAnyBytes, (const std::string& bytes)) {
  std::string joined;
  for (const std::string& piece : scan(bytes)) joined += piece;
  RC_ASSERT(joined == bytes);
}

TEST(CharTable, ClassesAreTheUnicodeCategories) {
  const CharTable& table = CharTable::instance();
  int num_newer = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
    const bool number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
    const CharClass expected = is_white_space(code) ? CharClass::space
                               : letter             ? CharClass::letter
                               : number             ? CharClass::number
                                                    : CharClass::other;
    if (table.char_class(code) == expected) continue;
    // only characters that this utf8proc does not know yet may differ
    ASSERT_EQ(category, UTF8PROC_CATEGORY_CN) << std::hex << static_cast<unsigned>(code);
    ++num_newer;
  }
  // Counted with Oniguruma through Hugging Face `tokenizers` 0.23.3 for utf8proc 2.8.0 (Unicode 15.0).
  if (utf8proc_unicode_version() == std::string("15.0.0")) {
    EXPECT_EQ(num_newer, 5004);
  }
}

TEST(CharTable, WordCharacters) {
  for (const char32_t code : {U'a', U'9', U'_', U'\u0301', U'\u200D', U'\u24B6', U'\u2160', U'\u4E2D'}) {
    EXPECT_TRUE(is_word_character(code)) << std::hex << static_cast<unsigned>(code);
  }
  for (const char32_t code : {U' ', U'-', U'\u00BD', U'\u2014', U'\uFFFD', kIllFormed}) {
    EXPECT_FALSE(is_word_character(code)) << std::hex << static_cast<unsigned>(code);
  }
}

}  // namespace
}  // namespace xlstm::tokenizer
