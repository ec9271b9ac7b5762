// The Tokenizer interface: what encode, decode, find and the fingerprint promise.
#include "xlstm/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <thread>

#include "tests/unit/tokenizer/tiny_tokenizer.h"
#include "xlstm/base/error.h"
#include "xlstm/tokenizer/gpt2_scanner.h"

namespace xlstm::tokenizer {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;

constexpr TokenId kLl = 256, kHe = 257, kHello = 259, kSpaceHello = 260, kAb = 261, kEos = 262;

const Tokenizer& tiny() {
  static const auto tokenizer = parse(tiny_tokenizer_json());
  return *tokenizer;
}

TEST(Encode, MergesByRankThenFromTheLeft) {
  EXPECT_EQ(tiny().encode("hello hello"), (Ids{kHello, kSpaceHello}));
  EXPECT_EQ(tiny().encode("lll"), (Ids{kLl, 'l'}));
  EXPECT_EQ(tiny().encode("he"), (Ids{kHe}));
  EXPECT_EQ(tiny().encode(""), Ids{});
}

TEST(Encode, ParsesSpecialTokensAndAddsNone) {
  EXPECT_EQ(tiny().encode("ab<eos>ab"), (Ids{kAb, kEos, kAb}));
  EXPECT_EQ(tiny().encode("ab"), Ids{kAb});
}

TEST(Encode, IllFormedBytesAreThemselves) {
  EXPECT_EQ(tiny().encode("a\xFF\xC3"
                          "b"),
            (Ids{'a', 0xFF, 0xC3, 'b'}));
}

TEST(Encode, BytesWithoutTokenBecomeReplacementCharacters) {
  // given a vocabulary that, like GPT-NeoX's, leaves out a byte no UTF-8 contains
  json file = tiny_tokenizer_json();
  file["model"]["vocab"].erase(byte_level_text(0xFF));
  // ids stay unique, with a hole at 255: the special token has to be part of the model
  file["model"]["vocab"]["<eos>"] = kEos;
  EXPECT_EQ(parse(file)->encode("a\xFF"
                                "b"),
            (Ids{'a', 0xEF, 0xBF, 0xBD, 'b'}));
}

TEST(Encode, MergesAsStringsEqualMergesAsPairs) {
  json file = tiny_tokenizer_json();
  json lines = json::array({"#version: 0.2"});
  for (const json& pair : file["model"]["merges"]) {
    lines.push_back(pair[0].get<std::string>() + " " + pair[1].get<std::string>());
  }
  file["model"]["merges"] = lines;
  EXPECT_EQ(parse(file)->encode("hello lll ab"), tiny().encode("hello lll ab"));
  EXPECT_EQ(parse(file)->fingerprint(), tiny().fingerprint());
}

TEST(Encode, IgnoreMergesTakesWholeWordsFromTheVocabulary) {
  json file = tiny_tokenizer_json();
  file["added_tokens"] = json::array();
  file["model"]["vocab"]["xyz"] = 262;
  file["model"]["vocab"]["abcdefghijklmnopqrstuvwxyz"] = 263;
  EXPECT_EQ(parse(file)->encode("xyz"), (Ids{'x', 'y', 'z'}));
  file["model"]["ignore_merges"] = true;
  EXPECT_EQ(parse(file)->encode("xyz"), Ids{262});
  EXPECT_EQ(parse(file)->encode("abcdefghijklmnopqrstuvwxyz"), Ids{263});
  EXPECT_EQ(parse(file)->encode("xyzz"), (Ids{'x', 'y', 'z', 'z'}));
}

TEST(Encode, NormalizesToNfc) {
  json file = tiny_tokenizer_json();
  EXPECT_EQ(parse(file)->encode("e\xCC\x81"), (Ids{'e', 0xCC, 0x81}));
  const json nfc = {{"type", "NFC"}};
  const json sequence = {{"type", "Sequence"}, {"normalizers", json::array({nfc})}};
  for (const json& normalizer : {nfc, sequence}) {
    file["normalizer"] = normalizer;
    EXPECT_EQ(parse(file)->encode("e\xCC\x81"), (Ids{0xC3, 0xA9}));
  }
}

TEST(Encode, HonoursPrefixSpaceAndRegexSwitch) {
  json file = tiny_tokenizer_json();
  file["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_EQ(parse(file)->encode("hello"), Ids{kSpaceHello});
  EXPECT_EQ(parse(file)->encode(" hello"), Ids{kSpaceHello});
  EXPECT_EQ(parse(file)->encode("ab<eos>hello"), (Ids{' ', kAb, kEos, kSpaceHello}));
  // given a merge across what the pattern keeps apart
  json across = tiny_tokenizer_json();
  across["added_tokens"] = json::array();
  across["model"]["vocab"]["ab!"] = 262;
  across["model"]["merges"].push_back(json::array({"ab", "!"}));
  EXPECT_EQ(parse(across)->encode("ab!"), (Ids{kAb, '!'}));
  across["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(parse(across)->encode("ab!"), Ids{262});
}

TEST(Encode, SplitsByThePatternOfTheFile) {
  json file = tiny_tokenizer_json();
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const auto with = [&](const json& pattern) {
    const json split = {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
    file["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", json::array({split, byte_level})}};
    return parse(file)->encode("hellob.ab");
  };
  EXPECT_EQ(with({{"Regex", "[bo]+"}}), (Ids{258, 'o', 'b', '.', 'a', 'b'}));
  EXPECT_EQ(with({{"String", "l."}}), (Ids{kHello, 'b', '.', kAb}));
  EXPECT_EQ(with({{"String", "b."}}), (Ids{kHello, 'b', '.', kAb}));
  EXPECT_EQ(with({{"Regex", std::string(kGpt2Pattern)}}), (Ids{kHello, 'b', '.', kAb}));
}

TEST(Encode, IsSafeFromManyThreads) {
  const auto expected = tiny().encode("hello lll ab<eos>\xC3\xA9");
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&result] { result = tiny().encode("hello lll ab<eos>\xC3\xA9"); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

RC_GTEST_PROP(Encode, DecodeGivesBackWellFormedText, ()) {
  std::string text;
  for (const auto code : *rc::gen::container<std::vector<char32_t>>(
           rc::gen::oneOf(rc::gen::inRange<char32_t>(0, 0x80), rc::gen::inRange<char32_t>(0x80, 0xD800),
                          rc::gen::inRange<char32_t>(0xE000, 0x110000),
                          rc::gen::element<char32_t>('h', 'e', 'l', 'o', ' ', 'a', 'b')))) {
    append_utf8(code, text);
  }
  RC_ASSERT(tiny().decode(tiny().encode(text)) == text);
}

RC_GTEST_PROP(Encode, TokensSpellAnyBytes, (const std::string& text)) {
  std::string spelt;
  for (const TokenId id : tiny().encode(text)) spelt += tiny().token_bytes(id);
  RC_ASSERT(spelt == text);
}

TEST(Vocabulary, FindsBytesOfTokens) {
  EXPECT_EQ(tiny().vocab_size(), 263u);
  EXPECT_EQ(tiny().find(" hello"), kSpaceHello);
  EXPECT_EQ(tiny().find("<eos>"), kEos);
  EXPECT_EQ(tiny().find("nothing"), std::nullopt);
  EXPECT_EQ(tiny().token_bytes(kSpaceHello), " hello");
  EXPECT_EQ(tiny().token_bytes(kEos), "<eos>");
  EXPECT_TRUE(tiny().is_special(kEos));
  EXPECT_FALSE(tiny().is_special(kHello));
  EXPECT_FALSE(tiny().is_special(-1));
  EXPECT_FALSE(tiny().is_special(263));
  EXPECT_EQ(tiny().kind(), "byte-level BPE");
}

TEST(Vocabulary, RefusesIdsOutside) {
  for (const TokenId id : {-1, 263, 1 << 30}) {
    try {
      tiny().decode({id});
      FAIL() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      EXPECT_NE(std::string(error.what()).find("from 0 to 262"), std::string::npos) << error.what();
    }
  }
}

TEST(Fingerprint, ChangesWithWhateverChangesIds) {
  const std::string original = tiny().fingerprint();
  EXPECT_EQ(original.size(), 32u);
  EXPECT_EQ(original.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(parse(tiny_tokenizer_json())->fingerprint(), original);
  const std::vector<json::json_pointer> places = {
      "/pre_tokenizer/add_prefix_space"_json_pointer, "/added_tokens/0/rstrip"_json_pointer,
      "/added_tokens/0/special"_json_pointer, "/model/ignore_merges"_json_pointer};
  for (const auto& place : places) {
    json file = tiny_tokenizer_json();
    file[place] = !file.value(place, false);
    EXPECT_NE(parse(file)->fingerprint(), original) << place.to_string();
  }
  json file = tiny_tokenizer_json();
  std::swap(file["model"]["merges"][0], file["model"]["merges"][1]);
  EXPECT_NE(parse(file)->fingerprint(), original);
  file = tiny_tokenizer_json();
  file["normalizer"] = {{"type", "NFC"}};
  EXPECT_NE(parse(file)->fingerprint(), original);
  EXPECT_NE(make_byte_tokenizer()->fingerprint(), original);
}

TEST(Bytes, IdIsByte) {
  const auto bytes = make_byte_tokenizer();
  EXPECT_EQ(bytes->encode("a\xFF"), (Ids{'a', 0xFF}));
  EXPECT_EQ(bytes->decode({0xC3, 0xA9, 0xFF}), "\xC3\xA9\xEF\xBF\xBD");
  EXPECT_EQ(bytes->vocab_size(), 256u);
  EXPECT_EQ(bytes->find("a"), 'a');
  EXPECT_EQ(bytes->find("ab"), std::nullopt);
  EXPECT_FALSE(bytes->is_special(0));
  EXPECT_EQ(bytes->kind(), "bytes");
  EXPECT_EQ(bytes->fingerprint().size(), 32u);
  EXPECT_THROW(bytes->token_bytes(256), Error);
  EXPECT_THROW(bytes->token_bytes(-1), Error);
}

TEST(Load, NamesWhatIsMissing) {
  for (const char* path : {"/no/such/tokenizer.json", "/"}) {
    try {
      load_tokenizer(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_found);
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace xlstm::tokenizer
