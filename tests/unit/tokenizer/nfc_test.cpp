// Our NFC, which touches only what it must and sorts marks in n log n, against utf8proc's.
#include "xlstm/tokenizer/nfc.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <rapidcheck/gtest.h>
#include <cstdlib>

#include "xlstm/tokenizer/char_class.h"

namespace xlstm::tokenizer {
namespace {

std::string ours(std::string_view text) {
  std::string storage;
  return std::string(to_nfc(text, storage));
}

std::string utf8proc(const std::string& text) {
  utf8proc_uint8_t* const nfc = utf8proc_NFC(reinterpret_cast<const utf8proc_uint8_t*>(text.c_str()));
  std::string copy = reinterpret_cast<const char*>(nfc);
  std::free(nfc);
  return copy;
}

TEST(Nfc, ComposesReordersAndKeepsIllFormedBytes) {
  EXPECT_EQ(ours("plain"), "plain");
  EXPECT_EQ(ours("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(ours("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"), "\xEA\xB0\x81");  // Hangul L V T
  EXPECT_EQ(ours("\xE2\x84\xAB"), "\xC3\x85");                              // Angstrom sign
  EXPECT_EQ(ours("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC");              // excluded from composition
  EXPECT_EQ(ours("a\xCC\x87\xCC\xA3"), "\xE1\xBA\xA1\xCC\x87");             // the dot below comes first
  EXPECT_EQ(ours("e\xFF\xCC\x81"), "e\xFF\xCC\x81");                        // nothing joins across a bad byte
  EXPECT_EQ(ours("\xCC\x81\xC3"), "\xCC\x81\xC3");
  EXPECT_EQ(ours(""), "");
}

TEST(Nfc, TextInNfcIsNotCopied) {
  const std::string text = "d\xC3\xA9j\xC3\xA0 \xE4\xB8\xAD";
  std::string storage;
  EXPECT_EQ(to_nfc(text, storage).data(), text.data());
}

TEST(Nfc, EqualsUtf8procOnEveryCharacter) {
  for (char32_t code = 1; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string text = "a";
    append_utf8(code, text);
    text += "\xCC\x81";
    ASSERT_EQ(ours(text), utf8proc(text)) << std::hex << static_cast<unsigned>(code);
  }
}

RC_GTEST_PROP(Nfc, EqualsUtf8procOnAnyText, ()) {
  const auto marks = rc::gen::inRange<char32_t>(0x300, 0x370);
  const auto letters =
      rc::gen::elementOf(std::u32string(U"aeo \u00E9\u1EA1\u1100\u1161\u11A8\uAC00\u09C7\u09BE\u09D7\u0344"));
  std::string text;
  for (const char32_t code : *rc::gen::container<std::vector<char32_t>>(rc::gen::oneOf(
           marks, letters, rc::gen::inRange<char32_t>(1, 0xD800), rc::gen::inRange<char32_t>(0xE000, 0x1F000)))) {
    append_utf8(code, text);
  }
  RC_ASSERT(ours(text) == utf8proc(text));
}

}  // namespace
}  // namespace xlstm::tokenizer
