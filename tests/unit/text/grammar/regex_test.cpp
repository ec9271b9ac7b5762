// Regular expressions beside PCRE2, which reads the same notation.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/unit/text/grammar/texts.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/regex_parser.h"

namespace xlstm::text::grammar {
namespace {

using tests::expect_error;

class Pcre2 {
 public:
  Pcre2(const std::string& pattern, std::uint32_t options) {
    int error = 0;
    std::size_t offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | options, &error, &offset, nullptr));
    EXPECT_NE(code_, nullptr) << pattern << ", error " << error << " at " << offset;
  }
  bool matches(const std::string& text) const {
    std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr), pcre2_match_data_free);
    return pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data.get(),
                       nullptr) >= 0;
  }

 private:
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code_{nullptr, pcre2_code_free};
};

constexpr std::uint32_t kWhole = PCRE2_ANCHORED | PCRE2_ENDANCHORED;

CompiledGrammar compile_search(const std::string& pattern) {
  Grammar grammar;
  grammar.root = grammar.add("regex", parse_regex(pattern, RegexMatch::anywhere));
  return std::make_shared<const Automaton>(grammar);
}

const std::string kPatterns[] = {
    "",
    "a",
    "abc|ab|b",
    "a*b+c?",
    "(a|b)*c",
    "(?:ab)+",
    "(?<n>a)b",
    "(?P<n>a)b",
    "[abc]+",
    "[^abc]+",
    "[a-c0-2_]*",
    "[\\]a]|[a-]",
    "\\d+\\.\\d*",
    "\\w+\\W\\w",
    "\\S\\s\\S",
    "[\\d_-]+",
    "[^\\w]",
    "a{2}",
    "a{2,}",
    "a{1,3}b",
    "(ab){0,2}c",
    "a+?b*?c??",
    "a{1,2}?",
    "x{",
    "x{a}",
    "x{,3}",
    "a{2",
    "\\x41\\x42",
    "^ab$",
    "^a|b$",
    "^a",
    "b$",
    "$",
    "^",
    "^$",
    "(a(b(c)?)?)?",
    "\\(\\)\\[\\]\\{\\}\\.\\*",
    "a.c",
    "\xC3\xA4+[\xC3\xB6-\xC3\xBC]",
    ".",
    "\\\\n\\n",
    "\\/\\-\\\"",
    "(a*)*b",
    "(a|ab)(c|bcd)(d*)",
    "[a-z]{2,4}(-[a-z]{2})?",
    "(0|[1-9][0-9]*)(\\.[0-9]+)?",
    "()a()",
    "(|a)b",
};

// Texts near what patterns are made of.
std::vector<std::string> texts() {
  std::vector<std::string> result = {"",         "x{",    "x{a}", "x{,3}", "a{2",  "AB",
                                     "()[]{}.*", "\\n\n", "/-\"", "abcd",  "12.5", "en-us"};
  const std::string pieces[] = {"a", "b", "c",  "d", "1",        "0",        ".", "-",
                                "_", " ", "\n", "]", "\xC3\xA4", "\xC3\xB6", "x"};
  std::mt19937 random(7);
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (std::size_t length = random() % 6; length-- > 0;)
      text += pieces[random() % (random() % 2 ? 4 : std::size(pieces))];
    result.push_back(text);
  }
  return result;
}

TEST(Regex, MatchesWholeTextsAsPcre2Does) {
  for (const std::string& pattern : kPatterns) {
    const GrammarMatcher grammar = make_byte_matcher(compile_regex(pattern));
    // A JSON Schema's anchors bind to their own alternative; PCRE2's do so too, within the group.
    const Pcre2 oracle("(?:" + pattern + ")", kWhole);
    for (const std::string& text : texts())
      EXPECT_EQ(matches(grammar, text), oracle.matches(text)) << pattern << " on " << text;
  }
}

TEST(Regex, SearchesTextsAsPcre2Does) {
  for (const std::string& pattern : kPatterns) {
    const GrammarMatcher grammar = make_byte_matcher(compile_search(pattern));
    const Pcre2 oracle(pattern, 0);
    for (const std::string& text : texts())
      EXPECT_EQ(matches(grammar, text), oracle.matches(text)) << pattern << " in " << text;
  }
}

TEST(Regex, CharactersAreCodePointsAndClassesAreEcma262s) {
  EXPECT_TRUE(matches(compile_regex("^\\u00e4\\u{1F600}\\uD83D\\uDE00$"), "\xC3\xA4\xF0\x9F\x98\x80\xF0\x9F\x98\x80"));
  EXPECT_TRUE(matches(compile_regex("\\t\\v\\f\\r\\0[\\b]"), std::string("\t\v\f\r\0\b", 6)));
  EXPECT_TRUE(matches(compile_regex("."), "\xF0\x9F\x98\x80"));
  for (const char* line_end : {"\n", "\r", "\xE2\x80\xA8", "\xE2\x80\xA9"})
    EXPECT_FALSE(matches(compile_regex("."), line_end));
  for (const char* space : {"\t", "\v", "\xC2\xA0", "\xE3\x80\x80", "\xEF\xBB\xBF"}) {
    EXPECT_TRUE(matches(compile_regex("\\s"), space));
    EXPECT_FALSE(matches(compile_regex("\\S"), space));
  }
  EXPECT_FALSE(matches(compile_regex("\\w|\\d"), "\xC3\xA4"));
}

TEST(Regex, RefusesByNameAndPosition) {
  struct Fault {
    const char* pattern;
    const char* message;
  };
  const Fault faults[] = {
      {"a(?=b)", "character 2: lookahead is not supported"},
      {"(?!b)", "character 1: lookahead is not supported"},
      {"\xC3\xA4(?<=b)", "character 2: lookbehind is not supported"},
      {"(?<!b)", "lookbehind is not supported"},
      {"(a)\\1", "character 4: backreferences are not supported"},
      {"(?<x>a)\\k<x>", "backreferences are not supported"},
      {"(?P=x)", "backreferences are not supported"},
      {"\\bword", "character 1: word boundaries"},
      {"\\p{L}", "Unicode properties"},
      {"\\Aa", "expected ^ and $ as anchors"},
      {"(?i)a", "flags"},
      {"(?>a)", "atomic groups are not supported"},
      {"a++", "character 3: possessive quantifiers are not supported"},
      {"a**", "expected one quantifier"},
      {"a{2}{3}", "expected something before { to repeat"},
      {"*a", "character 1: expected something before * to repeat"},
      {"a|+", "expected something before + to repeat"},
      {"(a^b)", "expected ^ only at the beginning"},
      {"a^", "expected ^ only at the beginning"},
      {"a$b", "expected $ only at the end"},
      {"(a$)", "expected $ only at the end"},
      {"(a", "character 1: expected a \")\""},
      {"a)", "character 2: expected a \"(\""},
      {"[a", "expected a \"]\""},
      {"[]a]", "character 1: expected something in the class: write \\] for a bracket"},
      {"[^]", "expected something in the class"},
      {"[z-a]", "expected a range that goes up"},
      {"[a-\\d]", "expected a character at both ends"},
      {"[[:alpha:]]", "POSIX classes"},
      {"\\q", "escape \\q is not supported"},
      {"\\01", "octal"},
      {"\\xg", "expected more hexadecimal digits"},
      {"\\u{110000}", "no Unicode scalar value"},
      {"\\ud800", "no Unicode scalar value"},
      {"a\\", "expected something behind the backslash"},
      {"a{3,2}", "expected {m,n} with m <= n"},
      {"a{0,1000000}", "expected counts of at most 100000"},
      {"((a{1000}){1000}){1000}", "repetitions and alternatives make more"},
      {"[ab]*a[ab]{20}", "at most 50000 states"},
      {"[^\\s\\S]", "rule \"regex\" never ends"},
      {"\xFF", "expected UTF-8"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.pattern);
    expect_error(ErrorCode::invalid_argument, fault.message, [&] { compile_regex(fault.pattern); });
  }
  const std::string deep(kMaxNesting + 1, '(');
  expect_error(ErrorCode::invalid_argument, "groups within each other", [&] { compile_regex(deep); });
}

}  // namespace
}  // namespace xlstm::text::grammar
