// JSON mode: RFC 8259, beside nlohmann's parser.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/text/grammar/texts.h"

namespace xlstm::text::grammar {
namespace {

const JsonOptions kAnyValue = {.object_only = false};

TEST(Json, ValuesAreThoseOfRfc8259) {
  const GrammarMatcher grammar = make_byte_matcher(compile_json(kAnyValue));
  for (const char* text : {"{}", "[]", "0", "-0", "12.50e-3", "1E+9", "\"\"", "\"\xC3\xA4\\u00e4\\ud83d\\ude00\\/\\b\"",
                           "true", "false", "null", "[1,[2,[]],{}]", "{\"a\":{\"b\":[null]},\"\":0}",
                           "{ \"a\" : 1 , \"b\" : [ 1 , 2 ] }", "{\n    \"a\": 1\n}"}) {
    EXPECT_TRUE(nlohmann::json::accept(text)) << text;
    EXPECT_TRUE(matches(grammar, text)) << text;
  }
  for (const char* text : {"",           "01",          "1.",
                           ".5",         "+1",          "1e",
                           "-",          "0x1",         "NaN",
                           "tru",        "truee",       "'a'",
                           "\"a",        "\"\n\"",      "\"\\x41\"",
                           "\"\\u12\"",  "\"\\ud83d\"", "\"\\ud83d\\u0041\"",
                           "[1,]",       "[,1]",        "[1 2]",
                           "{\"a\"}",    "{\"a\":}",    "{a:1}",
                           "{\"a\":1,}", "{,}",         "{]",
                           "[}",         "1 2",         "{}{}",
                           "\"\xFF\"",   "\"\xC3\"",    "\"\xED\xA0\x80\""}) {
    EXPECT_FALSE(nlohmann::json::accept(text)) << text;
    EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

TEST(Json, DamagedTextsGetNlohmannsVerdict) {
  const GrammarMatcher grammar = make_byte_matcher(compile_json(kAnyValue));
  const std::string text = R"({"ab": [1, -2.5e3, true, null, "x\ny"], "c": {"d": "\u00e4", "e": []}})";
  std::mt19937 random(9);
  const std::string bytes = "{}[]\",:0123456789-+.eE\\ntrufalsn \xC3\xA4";
  int num_good = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = text;
    for (std::size_t edits = 1 + random() % 2; edits-- > 0;) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged.erase(at, 1 + random() % 3);
          break;
        case 1:
          damaged.insert(at, 1, bytes[random() % bytes.size()]);
          break;
        default:
          damaged[at] = bytes[random() % bytes.size()];
      }
    }
    // More than one blank between tokens, and blanks round the text, are JSON but not ours.
    if (damaged.find("  ") != std::string::npos || damaged.starts_with(' ') || damaged.ends_with(' ')) continue;
    const bool good = nlohmann::json::accept(damaged);
    num_good += good ? 1 : 0;
    EXPECT_EQ(matches(grammar, damaged), good) << damaged;
  }
  EXPECT_GT(num_good, 500);
}

TEST(Json, ModeOfObjectsTakesNothingElse) {
  const GrammarMatcher grammar = make_byte_matcher(compile_json());
  EXPECT_TRUE(matches(grammar, "{\"a\":[1]}"));
  for (const char* text : {"[1]", "1", "\"a\"", "null", " {}"}) EXPECT_FALSE(matches(grammar, text)) << text;
}

TEST(Json, NothingGoesOnForEver) {
  const GrammarMatcher grammar = make_byte_matcher(compile_json(kAnyValue));
  const auto goes_on = [&](std::string begin, const char* piece) {
    GrammarMatcher matcher = grammar;
    EXPECT_TRUE(matcher.accept_bytes(begin));
    int count = 0;
    while (count < 1000 && matcher.accept_bytes(piece)) ++count;
    return count;
  };
  EXPECT_EQ(goes_on("[", " "), 1);
  EXPECT_EQ(goes_on("[\n", " "), 20);
  EXPECT_EQ(goes_on("[", "\n"), 2);
  EXPECT_EQ(goes_on("[1", "0"), 19);
  EXPECT_EQ(goes_on("[0.", "3"), 20);
  EXPECT_EQ(goes_on("[1e", "9"), 2);
}

}  // namespace
}  // namespace xlstm::text::grammar
