// Added tokens: every flag, as Hugging Face `tokenizers` 0.23.3 treats it (the expected values are its answers).
#include "xlstm/tokenizer/added_tokens.h"

#include <gtest/gtest.h>

#include "tests/unit/tokenizer/tiny_tokenizer.h"

namespace xlstm::tokenizer {
namespace {

using Ids = std::vector<TokenId>;
using Flags = std::initializer_list<const char*>;

std::unique_ptr<Tokenizer> with(std::initializer_list<nlohmann::json> tokens, bool nfc = false) {
  nlohmann::json file = tiny_tokenizer_json();
  for (const auto& token : tokens) file["added_tokens"].push_back(token);
  if (nfc) file["normalizer"] = {{"type", "NFC"}};
  return parse(file);
}

TEST(AddedTokens, LeftmostThenLongest) {
  const auto tokenizer = with({added_token(263, "xy", {}), added_token(264, "xyz", {}), added_token(265, "yzab", {})});
  EXPECT_EQ(tokenizer->encode("xyzab"), (Ids{264, 261}));
  EXPECT_EQ(tokenizer->encode("xxy"), (Ids{'x', 263}));
  EXPECT_EQ(tokenizer->encode("yzaxy"), (Ids{'y', 'z', 'a', 263}));
}

TEST(AddedTokens, SingleByteAndLastByte) {
  const auto tokenizer = with({added_token(263, "\n", {})});
  EXPECT_EQ(tokenizer->encode("\na\n"), (Ids{263, 'a', 263}));
}

TEST(AddedTokens, SingleWordNeedsNoWordCharacterBeside) {
  const auto tokenizer = with({added_token(263, "xy", {"single_word"}), added_token(264, "yz", {})});
  EXPECT_EQ(tokenizer->encode("xy"), Ids{263});
  EXPECT_EQ(tokenizer->encode("-xy."), (Ids{'-', 263, '.'}));
  EXPECT_EQ(tokenizer->encode("_xy"), (Ids{'_', 'x', 'y'}));
  EXPECT_EQ(tokenizer->encode("xy\xC3\xA9"), (Ids{'x', 'y', 0xC3, 0xA9}));
  EXPECT_EQ(tokenizer->encode("xyz"), (Ids{'x', 'y', 'z'}));  // the refused match hides the "yz" that overlaps it
}

TEST(AddedTokens, StripsTakeWhiteSpace) {
  const auto left = with({added_token(263, "<l>", {"lstrip"})});
  EXPECT_EQ(left->encode("a \xE3\x80\x80<l> b"), (Ids{'a', 263, ' ', 'b'}));
  const auto right = with({added_token(263, "<r>", {"rstrip"})});
  EXPECT_EQ(right->encode("a <r> \n b"), (Ids{'a', ' ', 263, 'b'}));
}

TEST(AddedTokens, WhiteSpaceTakenOnceIsGone) {
  const auto tokenizer = with({added_token(263, " ", {"lstrip", "rstrip"})});
  EXPECT_EQ(tokenizer->encode("   ab"), (Ids{263, 261}));
}

TEST(AddedTokens, NormalizedOnesAreSoughtInNormalizedText) {
  const auto tokenizer =
      with({added_token(263, "e\xCC\x81!", {"normalized"}), added_token(264, "o\xCC\x81!", {})}, true);
  EXPECT_EQ(tokenizer->encode("\xC3\xA9!"), Ids{263});
  EXPECT_EQ(tokenizer->encode("e\xCC\x81!"), Ids{263});
  EXPECT_EQ(tokenizer->encode("o\xCC\x81!"), Ids{264});
  EXPECT_EQ(tokenizer->encode("\xC3\xB3!"), (Ids{0xC3, 0xB3, '!'}));
}

TEST(AddedTokens, RawOnesGoFirst) {
  const auto tokenizer = with({added_token(263, "xyz", {"normalized"}), added_token(264, "yz", {})});
  EXPECT_EQ(tokenizer->encode("xyz"), (Ids{'x', 264}));
}

TEST(AddedTokens, OfTheModelKeepTheirId) {
  nlohmann::json file = tiny_tokenizer_json();
  file["added_tokens"] = nlohmann::json::array({added_token(259, "hello", {"special"})});
  const auto tokenizer = parse(file);
  EXPECT_EQ(tokenizer->encode("xhello"), (Ids{'x', 259}));
  EXPECT_TRUE(tokenizer->is_special(259));
  EXPECT_EQ(tokenizer->vocab_size(), 262u);
}

// Hugging Face's ByteLevel decoder reads an added token through the byte-level alphabet when all of it fits.
TEST(AddedTokens, DecodeThroughTheAlphabet) {
  const auto tokenizer = with({added_token(263, "\xC3\xA9\xC3\xA9", {}), added_token(264, "\xE4\xB8\xAD ", {})});
  EXPECT_EQ(tokenizer->decode({263}), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(tokenizer->decode({264}), "\xE4\xB8\xAD ");
  EXPECT_EQ(tokenizer->find("\xC3\xA9\xC3\xA9"), 263);
}

}  // namespace
}  // namespace xlstm::tokenizer
