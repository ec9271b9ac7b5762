// GBNF: every construct by texts that match and texts that do not, every fault by its line and column.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/unit/text/grammar/texts.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

using tests::expect_error;

struct Case {
  std::string source;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

class Gbnf : public ::testing::TestWithParam<Case> {};

TEST_P(Gbnf, MatchesWhatItSaysAndNothingElse) {
  const CompiledGrammar grammar = compile_gbnf(GetParam().source);
  for (const std::string& text : GetParam().good) EXPECT_TRUE(matches(grammar, text)) << text;
  for (const std::string& text : GetParam().bad) EXPECT_FALSE(matches(grammar, text)) << text;
}

const Case kCases[] = {
    {"root ::= \"abc\"", {"abc"}, {"", "ab", "abcd", "abd"}},
    {"root ::= \"\"", {""}, {"a"}},
    {"root ::=", {""}, {"a"}},
    {"root ::= \"a\" | \"b\" \"c\" | \"\"", {"a", "bc", ""}, {"b", "c", "abc"}},
    {"root ::= \"a\" |\n  \"b\"\n  | \"c\"", {"a", "b", "c"}, {"ab", ""}},
    {"# a comment\nroot ::= a b # and one here\na ::= \"x\"\n\nb ::= a a\n", {"xxx"}, {"xx", "xxxx"}},
    {"root ::= [a-c_] [^a-c]", {"ad", "_\n", "b\xC3\xA4"}, {"aa", "d", "a"}},
    {"root ::= [-a] [a-]", {"-a", "a-"}, {"b-", "aa-"}},
    {"root ::= [\\]\\[\\^\\\\\\-]+", {"]", "[", "^", "\\", "-"}, {"", "a"}},
    {"root ::= \"\\n\\t\\r\\\\\\\"\\x41\\u00e4\\U0001F600\"", {"\n\t\r\\\"A\xC3\xA4\xF0\x9F\x98\x80"}, {"\n"}},
    {"root ::= .",
     {"a", "\n", "\xC3\xA4", "\xF0\x9F\x98\x80", std::string(1, '\0')},
     {"", "ab", "\xC3", "\xA4", "\xED\xA0\x80"}},
    {"root ::= [\xC3\xA4-\xC3\xB6]", {"\xC3\xA4", "\xC3\xA5", "\xC3\xB6"}, {"\xC3\xB7", "\xC3\xA3", "a"}},
    {"root ::= \"a\"*", {"", "a", "aaaa"}, {"b", "ab"}},
    {"root ::= \"ab\"+", {"ab", "abab"}, {"", "aba"}},
    {"root ::= \"a\"? \"b\"", {"b", "ab"}, {"aab", "a"}},
    {"root ::= [0-9]{3}", {"123"}, {"12", "1234"}},
    {"root ::= [0-9]{2,}", {"12", "12345"}, {"1", ""}},
    {"root ::= [0-9]{ 1 , 3 }", {"1", "12", "123"}, {"", "1234"}},
    {"root ::= \"a\"{0} \"b\"", {"b"}, {"ab"}},
    {"root ::= (\"a\" | \"b\")* \"c\"", {"c", "abbac"}, {"ab", "cc"}},
    {"root ::= (\n  \"a\"\n  (\"b\"\n | \"c\")\n)", {"ab", "ac"}, {"a", "abc"}},
    {"root ::= \"(\" root \")\" | \"x\"", {"x", "(x)", "(((x)))"}, {"(x", "x)", "()"}},
    {"root ::= \"a\" root \"b\" | \"\"", {"", "ab", "aaabbb"}, {"aab", "abb", "ba"}},
    {"root ::= item (\",\" item)*\nitem ::= [a-z]+ | \"<\" root \">\"", {"a", "a,b", "<a,<b>>,c"}, {"a,", "<a", ",a"}},
    {"root ::= (a | b)*\na ::= \"x\"*\nb ::= \"y\"?", {"", "xyyx"}, {"z"}},             // loops that read nothing
    {"root ::= s\ns ::= \"a\" s s | \"b\"", {"b", "abb", "aabbb"}, {"ab", "a", "bb"}},  // several returns on the stack
    {"root ::= \"a\" never | \"b\"\nnever ::= \"x\" never", {"b"}, {"a", "ax"}},        // one way has no end
    {"root ::= x x x\nx ::= \"a\" | \"aa\"", {"aaa", "aaaa", "aaaaaa"}, {"aa", "aaaaaaa"}},  // ambiguous
};
INSTANTIATE_TEST_SUITE_P(Constructs, Gbnf, ::testing::ValuesIn(kCases));

TEST(GbnfParser, NamesTheFaultByLineAndColumn) {
  struct Fault {
    const char* source;
    const char* message;
  };
  const Fault faults[] = {
      {"", "expected a rule named \"root\""},
      {"a ::= \"x\"", "expected a rule named \"root\""},
      {"root = \"a\"", "line 1, column 6: expected \"::=\" but got \"= \\\"a\\\"\""},
      {"::= \"a\"", "line 1, column 1: expected a rule's name"},
      {"root ::= \"a\"\n  b", "line 2, column 4: expected \"::=\" but got the end"},
      {"root ::= a\nroot ::= \"b\"\n", "line 2, column 1: expected each rule once but \"root\" is defined again"},
      {"root ::= \"a\"\n\nx ::= [a-z] yy", "line 3, column 13: expected a rule named \"yy\" but there is none"},
      {"root ::= \"abc", "line 1, column 14: expected the literal's closing quote but got the end"},
      {"root ::= [abc", "line 1, column 14: expected the class's closing bracket but got the end"},
      {"root ::= [z-a]", "line 1, column 11: expected a range that goes up"},
      {"root ::= (\"a\"", "expected \")\" but got the end"},
      {"root ::= \"a\")", "line 1, column 13: expected the end of the rule but got \")\""},
      {"root ::= \"\\q\"", "line 1, column 11: expected an escape"},
      {"root ::= \"\\x4\"", "line 1, column 11: expected 2 hexadecimal digits"},
      {"root ::= \"\\uD800\"", "no Unicode scalar value"},
      {"root ::= \"a\"{x}", "expected a count but got \"x}\""},
      {"root ::= \"a\"{3,2}", "expected {m,n} with m <= n but got 3 and 2"},
      {"root ::= \"a\"{0,1000000}", "expected counts of at most 100000"},
      {"root ::= \"a\"{99999999999999999999}", "expected counts of at most 100000"},
      {"root ::= \"a\" *", "expected the end of the rule but got \"*\""},
      {"root ::= <tool>", "expected the end of the rule but got \"<tool>\""},
      {"root ::= \"\xFF\"", "expected UTF-8 but byte 10 is ill-formed"},
      {"root ::= root \"a\" | \"b\"", "expected rule \"root\" to read a character before it comes to itself again"},
      {"root ::= a\na ::= b \"x\"\nb ::= e a | \"y\"\ne ::= \"z\"?", "but it is left-recursive"},
      {"root ::= \"a\" root", "rule \"root\" never ends"},
      {"root ::= [^\\x00-\\U0010FFFF]", "rule \"root\" never ends"},
      {"root ::= (((\"a\"{1000}){1000}){1000})", "repetitions and alternatives make more"},
      {"root ::= (((\"\"{1000}){1000}){1000})", "repetitions and alternatives make more"},
      {"root ::= [ab]* \"a\" [ab]{20}", "expected rule \"root\" to need at most 50000 states"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.source);
    expect_error(ErrorCode::invalid_argument, fault.message, [&] { compile_gbnf(fault.source); });
  }
}

TEST(GbnfParser, BoundsNestingRulesAndSize) {
  const auto nested = [](std::size_t depth) {
    return std::string("root ::= ").append(depth, '(').append("\"a\"").append(depth, ')');
  };
  EXPECT_TRUE(matches(compile_gbnf(nested(kMaxNesting)), "a"));
  expect_error(ErrorCode::invalid_argument, "groups within each other", [&] { compile_gbnf(nested(kMaxNesting + 1)); });
  std::string rules = "root ::= \"a\"\n";
  for (std::size_t i = 0; i < kMaxRules; ++i) rules.append("r").append(std::to_string(i)).append(" ::= \"a\"\n");
  expect_error(ErrorCode::invalid_argument, "rules but got more", [&] { compile_gbnf(rules); });
  expect_error(ErrorCode::invalid_argument, "bytes but got",
               [] { compile_gbnf(std::string(kMaxSourceBytes + 1, ' ')); });
}

// What would take long or grow without bound is refused soon; a hang would be the test's time limit.
TEST(GbnfParser, RefusesGrammarsWithTooManyWaysIntoRules) {
  const auto refuse = [](const std::string& source) {
    expect_error(ErrorCode::invalid_argument, "steps on the ways into rules", [&] { compile_gbnf(source); });
  };
  refuse("root ::= x{40000}\nx ::= \"a\"?");
  std::string chain = "root ::= r0", doubling = chain;
  for (int i = 0; i < 3000; ++i) {
    const std::string here = std::to_string(i);
    const std::string next = std::to_string(i + 1);
    chain.append("\nr").append(here).append(" ::= r").append(next).append(" \"b\"");
    doubling.append("\nr").append(here).append(" ::= r").append(next).append("? r").append(next);
  }
  refuse(chain + "\nr3000 ::= \"a\"");
  refuse(doubling + "\nr3000 ::= \"a\"?");
}

}  // namespace
}  // namespace xlstm::text::grammar
