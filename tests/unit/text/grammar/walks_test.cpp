// Whatever a model picks among the allowed tokens, the text that comes out is right: random walks, judged by others.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>
#include <string>
#include <vector>

#include "tests/unit/text/grammar/schema_validator.h"
#include "tests/unit/text/grammar/texts.h"

namespace xlstm::text::grammar {
namespace {

using nlohmann::json;

std::vector<std::string> tokens() {
  return bytes_and({"{\"",   "\":",  "\": ",  "\",",     "\"}",  "\"",       "\"a\"",    "{}",
                    "[]",    "[",    "]",     "],",      "}",    "},",       ",",        ", ",
                    ",\"",   "1",    "12",    "0.",      "-",    "1e",       "9",        "true",
                    "false", "null", "null]", "\n",      "\n  ", " ",        "a",        "ab",
                    "name",  "\\",   "\\u",   "\\ud83d", "\\n",  "\xC3\xA4", "\xE2\x82", "\xF0\x9F\x98\x80",
                    "00",    "x1",   "/"});
}

// A text that ends, of random allowed tokens; where it may end, and after `patience` tokens where it may go on to the
// end, it does. Short walks come out of long patience too: brackets close when the dice say so.
std::string walk(const std::shared_ptr<const TokenMasks>& masks, std::mt19937& random, int patience) {
  const Vocabulary& vocabulary = masks->vocabulary();
  GrammarMatcher matcher(masks);
  std::string text;
  for (int step = 0; !matcher.must_end(); ++step) {
    if (matcher.can_end() && (step > patience || random() % 4 == 0)) break;
    const auto mask = mask_of(matcher, vocabulary.size());
    std::vector<TokenId> allowed;
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      if (is_set(mask, id)) allowed.push_back(static_cast<TokenId>(id));
    }
    if (allowed.empty()) {
      ADD_FAILURE() << "no token is allowed behind " << text;
      break;
    }
    TokenId pick = allowed[random() % allowed.size()];
    // Tired: what closes is taken. Where a letter may stand that begins no JSON value, a string is open.
    const char* const closing = is_set(mask, 'q') ? "\"" : "}]";
    for (const char* c = closing; step > patience && *c != '\0'; ++c) {
      if (is_set(mask, static_cast<std::size_t>(*c))) pick = static_cast<TokenId>(*c);
    }
    if (step > 100 * patience) {
      ADD_FAILURE() << "no end is in sight behind " << text.substr(0, 200);
      break;
    }
    matcher.accept(pick);
    text += vocabulary.bytes(pick);
  }
  return text;
}

TEST(RandomWalks, OfJsonModeAreJson) {
  const auto vocabulary = make_vocabulary(tokens());
  std::mt19937 random(1);
  for (const bool object_only : {true, false}) {
    for (const Whitespace whitespace : {Whitespace::compact, Whitespace::flexible}) {
      const auto masks = std::make_shared<const TokenMasks>(compile_json({whitespace, object_only, true}), vocabulary);
      for (int i = 0; i < 150; ++i) {
        const std::string text = walk(masks, random, 40);
        EXPECT_TRUE(json::accept(text)) << text;
        EXPECT_TRUE(!object_only || text[0] == '{') << text;
      }
    }
  }
}

TEST(RandomWalks, OfSchemasAreValid) {
  const char* const schemas[] = {
      R"({"type":"object","properties":{"a":{"type":"integer","minimum":-5,"maximum":120},"b":{"type":"string","minLength":1,"maxLength":4},
          "c":{"type":"array","items":{"type":["number","null"]},"minItems":1,"maxItems":3}},"required":["a","c"],"additionalProperties":false})",
      R"({"type":"object","properties":{"a":{"type":"number","exclusiveMinimum":-0.5,"maximum":12.5}},"additionalProperties":{"type":"boolean"}})",
      R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"value":{"enum":[1,"x",null]},
          "children":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":2}},"required":["value"],"additionalProperties":false}}})",
      R"({"type":"array","prefixItems":[{"type":"string","pattern":"^[a-c]{1,3}(/[0-9]+)?$"},{"type":"boolean"}],"items":{"type":"integer"},"minItems":2,"maxItems":4})",
      R"({"anyOf":[{"type":"string","pattern":"a.*b","maxLength":6},{"type":"object","additionalProperties":{"type":"null"}},{"type":"integer","minimum":1000}]})",
      R"({"type":"object","properties":{"a":{"type":"string"},"ab":{"type":"integer"}},"additionalProperties":{"type":"array","items":{"type":"null"}}})",
  };
  const auto vocabulary = make_vocabulary(tokens());
  std::mt19937 random(2);
  for (const char* source : schemas) {
    const json schema = json::parse(source);
    for (const Whitespace whitespace : {Whitespace::compact, Whitespace::flexible}) {
      const auto masks =
          std::make_shared<const TokenMasks>(compile_json_schema(source, {.whitespace = whitespace}), vocabulary);
      for (int i = 0; i < 60; ++i) {
        const std::string text = walk(masks, random, 30);
        ASSERT_TRUE(json::accept(text)) << text;
        EXPECT_TRUE(is_valid(json::parse(text), schema, schema)) << source << "\n" << text;
      }
    }
  }
}

TEST(RandomWalks, OfRegexesMatchThem) {
  const auto vocabulary = make_vocabulary(tokens());
  std::mt19937 random(3);
  for (const char* pattern : {"(a|ab)(c|bcd)*d", "[a-z]{2,5}(-[0-9]{1,3})*", "([+-]?[0-9]+(\\.[0-9]+)?,)*end",
                              "\\w+\\s\\w+[.!?]", "(x(y(z)?)?)+"}) {
    const auto masks = std::make_shared<const TokenMasks>(compile_regex(pattern), vocabulary);
    const std::regex oracle(pattern);
    for (int i = 0; i < 100; ++i) {
      std::string text = walk(masks, random, 30);
      // std::regex reads bytes: a blank beyond ASCII becomes one that it knows.
      for (const char* wide : {"\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                               "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"}) {
        if (const std::size_t at = text.find(wide); at != std::string::npos)
          text.replace(at, std::strlen(wide), 1, ' ');
      }
      if (const std::size_t at = text.find("\xE2\x80"); at != std::string::npos) text.replace(at, 3, 1, ' ');
      EXPECT_TRUE(std::regex_match(text, oracle)) << pattern << " on " << text;
    }
  }
}

TEST(RandomWalks, OfNestingGrammarsBalance) {
  const auto vocabulary = make_vocabulary(bytes_and({"((", "))", "()", ")(", "(()", "x(", ")x"}));
  const auto masks =
      std::make_shared<const TokenMasks>(compile_gbnf("root ::= (\"(\" root \")\" | \"x\")*"), vocabulary);
  std::mt19937 random(4);
  for (int i = 0; i < 200; ++i) {
    GrammarMatcher matcher(masks);
    int open = 0;
    std::string text;
    for (int step = 0; step < 60; ++step) {
      const auto mask = mask_of(matcher, vocabulary->size());
      std::vector<TokenId> allowed;
      for (std::size_t id = 0; id < vocabulary->size(); ++id) {
        if (is_set(mask, id)) allowed.push_back(static_cast<TokenId>(id));
      }
      const TokenId pick = allowed[random() % allowed.size()];
      matcher.accept(pick);
      for (const char c : vocabulary->bytes(pick)) {
        open += c == '(' ? 1 : c == ')' ? -1 : 0;
        ASSERT_GE(open, 0);
      }
      ASSERT_EQ(matcher.can_end(), open == 0);
    }
  }
}

}  // namespace
}  // namespace xlstm::text::grammar
