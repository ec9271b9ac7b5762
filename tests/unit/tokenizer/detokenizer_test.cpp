// StreamingDetokenizer: pieces joined are decode(), and no piece holds half a character.
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "tests/unit/tokenizer/tiny_tokenizer.h"
#include "xlstm/tokenizer/utf8.h"

namespace xlstm::tokenizer {
namespace {

bool is_well_formed(const std::string& text) {
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    const Utf8Char next = read_utf8(at, end);
    if (next.code == kIllFormed) return false;
    at += next.size;
  }
  return true;
}

TEST(StreamingDetokenizer, HoldsBackHalfACharacter) {
  const auto bytes = make_byte_tokenizer();
  StreamingDetokenizer stream(*bytes);
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.push(0x91), "");
  EXPECT_EQ(stream.push(0x8D), "\xF0\x9F\x91\x8D");
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.push('b'),
            "\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.push(0xB8), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

// Expected values from Rust's String::from_utf8_lossy: one U+FFFD for each maximal subpart.
TEST(Lossy, OneReplacementForEachMaximalSubpart) {
  const std::string r = "\xEF\xBF\xBD";
  const auto lossy = [](std::string_view bytes) {
    std::string text;
    EXPECT_EQ(append_lossy(bytes, true, text), bytes.size());
    return text;
  };
  EXPECT_EQ(lossy("\xF0\x9F\x91"
                  "a"),
            r + "a");
  EXPECT_EQ(lossy("\xE0\x80\x80"), r + r + r);          // overlong: E0 cannot be followed by 80
  EXPECT_EQ(lossy("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(lossy("\xF4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(lossy("\xC0\xAF\xFF"), r + r + r);
  EXPECT_EQ(lossy("\xF0\x9F\xF0\x9F\x91\x8D"), r + "\xF0\x9F\x91\x8D");
  EXPECT_EQ(lossy("\xE4\xB8"), r);
  EXPECT_EQ(lossy(""), "");
}

RC_GTEST_PROP(StreamingDetokenizer, PiecesJoinedAreDecode, ()) {
  static const auto tokenizer = parse(tiny_tokenizer_json());
  const auto any = rc::gen::inRange<TokenId>(0, static_cast<TokenId>(tokenizer->vocab_size()));
  const auto ids = *rc::gen::container<std::vector<TokenId>>(
      rc::gen::oneOf(any, rc::gen::element<TokenId>(0xF0, 0x9F, 0x91, 0x8D, 0xC3, 0xA9, 0xE4, 0xB8, 0xAD)));
  StreamingDetokenizer stream(*tokenizer);
  std::string joined;
  for (const TokenId id : ids) {
    const std::string piece = stream.push(id);
    RC_ASSERT(is_well_formed(piece));
    joined += piece;
  }
  joined += stream.finish();
  RC_ASSERT(is_well_formed(joined));
  RC_ASSERT(joined == tokenizer->decode(ids));
}

}  // namespace
}  // namespace xlstm::tokenizer
