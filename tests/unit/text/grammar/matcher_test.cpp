// Laws of masks and matchers, whatever the grammar is.
#include "xlstm/text/grammar/matcher.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/unit/text/grammar/texts.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/token_bits.h"

namespace xlstm::text::grammar {
namespace {

using tests::expect_error;

const char* const kSchema = R"({"type":"object","properties":{"name":{"type":"string","maxLength":5},
  "kind":{"enum":["a","bc",3]},"next":{"$ref":"#"},"list":{"type":"array","items":{"type":"integer"},"maxItems":3}},
  "required":["kind"]})";

std::vector<CompiledGrammar> grammars() {
  return {
      compile_json(),
      compile_json({.whitespace = Whitespace::compact, .object_only = false}),
      compile_json_schema(kSchema),
      compile_json_schema(kSchema, {.whitespace = Whitespace::compact, .closed_objects = false}),
      compile_regex("([a-z]{1,12}|[0-9]+)( [a-z]+)*\\."),
      compile_regex("[^x]{2,40}"),
      compile_gbnf("root ::= s\ns ::= \"a\" s s | \"b\" | [c-d]* \"e\""),
      compile_gbnf("root ::= item (\", \" item)*\nitem ::= [a-z]+ | \"<\" root \">\" | [0-9]{1,3}"),
      compile_gbnf("root ::= x x* \";\"\nx ::= y? z\ny ::= \"a\"*\nz ::= \"a\" | \"ab\" | .{2}"),
      compile_gbnf("root ::= (. [\\x80-\\U0010FFFF])* \"end\""),
  };
}

// Bytes, words, words that cross the borders of rules, halves of characters, long ones, two the same, one without
// bytes.
std::vector<std::string> tokens() {
  return bytes_and({"the",
                    " the",
                    "name",
                    "\"name\"",
                    "\":",
                    "\": ",
                    "{\"",
                    "\"}",
                    "\"},",
                    "\"]}",
                    "},{",
                    "}}",
                    "]]",
                    "[[",
                    "[]",
                    "{}",
                    "\n",
                    "\n  ",
                    "\n        ",
                    "\r\n",
                    "  ",
                    " {",
                    ", \"",
                    "\\\"",
                    "\\u",
                    "\\u00e4",
                    "\\n\\",
                    "true",
                    "false}",
                    "null,",
                    "12",
                    "12]",
                    "12,",
                    "-1",
                    "0.5",
                    "e+",
                    "1e9",
                    "kind\":\"",
                    "bc\"",
                    "ab",
                    "aab",
                    "aaaa",
                    "bb",
                    "bbb",
                    "e",
                    "cdcd",
                    "xyz",
                    ", <",
                    ">>",
                    ">, ",
                    "a. ",
                    " z.",
                    "abcdefghijklmnopqrstuvwxyzabcdefgh",
                    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}",
                    "                              ",
                    "\xC3\xA4",
                    "\xE2\x82",
                    "\xAC\"",
                    "\xF0\x9F\x98\x80",
                    "\x80\x80",
                    "the",
                    "",
                    "end",
                    "\xC3\xA4"
                    "end"});
}

TEST(GrammarMatcher, MaskSaysOfEveryTokenWhatReadingItSays) {
  const std::vector<std::string> words = tokens();
  const auto vocabulary = make_vocabulary(words);
  for (const CompiledGrammar& grammar : grammars()) {
    std::mt19937 random(11);
    for (int walk = 0; walk < 12; ++walk) {
      GrammarMatcher matcher = make_matcher(grammar, vocabulary);
      for (int step = 0; step < 30; ++step) {
        const auto mask = mask_of(matcher, words.size());
        std::vector<TokenId> allowed;
        for (std::size_t id = 0; id < words.size(); ++id) {
          GrammarMatcher copy = matcher;
          const bool reads = !words[id].empty() && copy.accept_bytes(words[id]);
          ASSERT_EQ(is_set(mask, id), reads)
              << "id " << id << " \"" << words[id] << "\" at step " << step << " of walk " << walk;
          ASSERT_EQ(matcher.allows(static_cast<TokenId>(id)), reads);
          if (reads) allowed.push_back(static_cast<TokenId>(id));
        }
        ASSERT_EQ(allowed.empty(), matcher.must_end());
        ASSERT_TRUE(!allowed.empty() || matcher.can_end()) << "nothing may come and the text may not end";
        if (allowed.empty()) break;
        matcher.accept(allowed[random() % allowed.size()]);
      }
    }
  }
}

TEST(GrammarMatcher, CutOfATextIntoTokensChangesNothing) {
  const std::string text = "{\"name\": \"\xC3\xA4\", \"kind\": \"bc\", \"next\": {\"kind\": 3}, \"list\": [1, -12]}";
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    GrammarMatcher cut = make_byte_matcher(compile_json_schema(kSchema));
    GrammarMatcher bytes = cut;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::string piece = text.substr(begin, 1 + random() % 9);
      ASSERT_TRUE(cut.accept_bytes(piece));
      for (const char byte : piece) ASSERT_TRUE(bytes.accept_bytes({&byte, 1}));
      ASSERT_EQ(mask_of(cut, 256), mask_of(bytes, 256)) << text.substr(0, begin) << " + " << piece;
      ASSERT_EQ(cut.can_end(), bytes.can_end());
      begin += piece.size();
    }
    EXPECT_TRUE(cut.can_end());
    EXPECT_TRUE(cut.must_end());
  }
}

TEST(GrammarMatcher, CopiesGoTheirOwnWay) {
  GrammarMatcher matcher = make_byte_matcher(compile_json());
  ASSERT_TRUE(matcher.accept_bytes("{\"a\": [1, "));
  const auto before = mask_of(matcher, 256);
  GrammarMatcher copy = matcher;
  ASSERT_TRUE(copy.accept_bytes("{\"b\": [[[[2]]]]}]}"));
  EXPECT_TRUE(copy.can_end());
  EXPECT_FALSE(matcher.can_end());
  EXPECT_EQ(mask_of(matcher, 256), before);
  EXPECT_TRUE(matcher.accept_bytes("2]}"));
  EXPECT_TRUE(matcher.can_end());
}

TEST(GrammarMatcher, RefusalLeavesTheTextAsItWas) {
  GrammarMatcher matcher = make_byte_matcher(compile_json());
  ASSERT_TRUE(matcher.accept_bytes("{\"a\": [["));
  const auto before = mask_of(matcher, 256);
  EXPECT_FALSE(matcher.accept_bytes("1, {\"b\": 2}, [[[3]}"));
  expect_error(ErrorCode::invalid_argument, "expected a token that the grammar allows but got id 125, \"}\"",
               [&] { matcher.accept('}'); });
  expect_error(ErrorCode::invalid_argument, "expected a token id below 256 but got 256", [&] { matcher.accept(256); });
  expect_error(ErrorCode::invalid_argument, "expected a token id below 256 but got -1", [&] { matcher.allows(-1); });
  EXPECT_EQ(mask_of(matcher, 256), before);
  EXPECT_TRUE(matcher.accept_bytes("1]]}"));
  EXPECT_TRUE(matcher.can_end());
}

TEST(GrammarMatcher, MaskFillsAWiderVocabularyWithZeros) {
  GrammarMatcher matcher = make_byte_matcher(compile_regex("a"));
  std::vector<std::uint32_t> bits(10, 0xFFFFFFFF);
  matcher.fill_mask(bits);
  for (std::size_t id = 0; id < 320; ++id) EXPECT_EQ(is_set(bits, id), id == 'a') << id;
  bits.resize(7);
  expect_error(ErrorCode::invalid_argument, "expected a mask of at least 8 words but got 7",
               [&] { matcher.fill_mask(bits); });
}

TEST(TokenBits, BanWhatIsNotAllowed) {
  for (const std::size_t size : {0, 1, 31, 32, 33, 64, 70}) {
    std::vector<std::uint32_t> bits = {0, 0xFFFFFFFF};
    for (const TokenId id : {0, 5, 31}) allow(bits, id);
    std::vector<float> logits(size, 1.5f);
    apply_mask(logits, bits);
    for (std::size_t id = 0; id < size; ++id) {
      const bool allowed = id == 0 || id == 5 || id == 31 || (id >= 32 && id < 64);
      EXPECT_EQ(logits[id], allowed ? 1.5f : -std::numeric_limits<float>::infinity()) << id;
    }
  }
}

TEST(GrammarMatcher, KnowsWhatHasToCome) {
  GrammarMatcher matcher = make_byte_matcher(
      compile_json_schema(R"({"type":"object","properties":{"answer":{"enum":["yes","yet"]}},"required":["answer"]})",
                          {.whitespace = Whitespace::compact}));
  EXPECT_EQ(matcher.forced_bytes(), "{\"answer\":\"ye");
  ASSERT_TRUE(matcher.accept_bytes("{\"answer\":\"yes"));
  EXPECT_EQ(matcher.forced_bytes(), "\"}");
  ASSERT_TRUE(matcher.accept_bytes("\"}"));
  EXPECT_EQ(matcher.forced_bytes(), "");
  EXPECT_EQ(make_byte_matcher(compile_regex("ab?c")).forced_bytes(), "a");
  EXPECT_EQ(make_byte_matcher(compile_regex("abc(de)?")).forced_bytes(), "abc");  // the text may end there
}

TEST(GrammarMatcher, DeepTextsAreBoundedAndCheap) {
  GrammarMatcher matcher = make_byte_matcher(compile_json({.object_only = false}));
  std::size_t depth = 0;
  while (is_set(mask_of(matcher, 256), '[')) {
    ASSERT_TRUE(matcher.accept_bytes("["));
    ASSERT_LE(++depth, std::size_t{kMaxDepth} + 1);  // the root is in no other rule
  }
  EXPECT_GE(depth, kMaxDepth / 4);
  EXPECT_FALSE(matcher.must_end());
  EXPECT_TRUE(matcher.accept_bytes(std::string(depth, ']')));
  EXPECT_TRUE(matcher.can_end());
}

TEST(GrammarMatcher, RightRecursionLeavesNothingOnTheStack) {
  GrammarMatcher matcher = make_byte_matcher(compile_gbnf("root ::= \"a\" root | \"b\""));
  for (std::size_t i = 0; i < 3 * std::size_t{kMaxDepth}; ++i) ASSERT_TRUE(matcher.accept_bytes("a"));
  EXPECT_TRUE(matcher.accept_bytes("b"));
}

TEST(GrammarMatcher, TooAmbiguousGrammarsAreRefusedWhileTheyAreRead) {
  std::string source = "root ::= ";
  for (std::size_t i = 0; i <= kMaxStacks; ++i) source += (i ? " | r" : "r") + std::to_string(i) + " \"x\"";
  for (std::size_t i = 0; i <= kMaxStacks; ++i)
    source += "\nr" + std::to_string(i) + " ::= \"a\" r" + std::to_string(i) + " \"b\" | \"c\"";
  expect_error(ErrorCode::invalid_argument, "more ambiguous than that", [&] {
    GrammarMatcher matcher = make_byte_matcher(compile_gbnf(source));
    matcher.accept_bytes("a");
  });
}

TEST(TokenMasks, AreSharedByThreadsAndCountedStatesShareThem) {
  const auto vocabulary = make_vocabulary(tokens());
  const auto masks = std::make_shared<const TokenMasks>(compile_regex("[a-z]{0,5000}"), vocabulary);
  EXPECT_LT(masks->num_masks(), 2 * kLongTokenBytes);
  const std::size_t size = vocabulary->size();
  GrammarMatcher first(masks);
  const auto expected = mask_of(first, size);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      GrammarMatcher matcher(masks);
      for (int step = 0; step < 200; ++step) {
        EXPECT_EQ(mask_of(matcher, size), expected);
        matcher.accept('a');
      }
    });
  }
  masks->warm_up();
  for (std::thread& thread : threads) thread.join();
}

TEST(Vocabulary, RefusesATokenThatIsTooLong) {
  EXPECT_EQ(make_vocabulary({std::string(kMaxTokenBytes, 'a')})->size(), 1u);
  expect_error(ErrorCode::invalid_argument, "id 1 has 65536", [] {
    make_vocabulary({"a", std::string(kMaxTokenBytes + 1, 'a')});
  });
  EXPECT_EQ(make_vocabulary({})->num_mask_words(), 0u);
}

}  // namespace
}  // namespace xlstm::text::grammar
