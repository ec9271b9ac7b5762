// Stop strings: the law is that any cut of the text into pieces gives the same output as the text in one piece.
#include "xlstm/text/stop_rules.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "xlstm/base/error.h"

namespace xlstm::text {
namespace {

struct Outcome {
  std::string text;
  std::string matched;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Outcome outcome;
  for (const std::string& piece : pieces) outcome.text += matcher.push(piece);
  outcome.text += matcher.finish();
  outcome.matched = matcher.matched();
  EXPECT_EQ(matcher.stopped(), !matcher.matched().empty());
  return outcome;
}

// The definition: read on until some stop string ends the text; the longest such is cut off.
Outcome definition(const std::vector<std::string>& stops, const std::string& text) {
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::string read = text.substr(0, end);
    std::string longest;
    for (const std::string& stop : stops) {
      if (read.ends_with(stop) && stop.size() > longest.size()) longest = stop;
    }
    if (!longest.empty()) return {read.substr(0, end - longest.size()), longest};
  }
  return {text, ""};
}

TEST(StopMatcher, WithoutStopStringsPassesEverythingAtOnce) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.push("abc"), "abc");
  EXPECT_EQ(matcher.push(""), "");
  EXPECT_EQ(matcher.finish(), "");
  EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.push("some E"), "some ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("E"), "EN");
  EXPECT_EQ(matcher.push("x"), "Ex");
  EXPECT_EQ(matcher.push("EN"), "");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.finish(), "EN");
}

TEST(StopMatcher, AfterAMatchComesNothingEverAgain) {
  StopMatcher matcher({"\n\n"});
  EXPECT_EQ(matcher.push("one\n"), "one");
  EXPECT_EQ(matcher.push("\ntwo"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.matched(), "\n\n");
  EXPECT_EQ(matcher.push("three"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, TextBeforeTheMatchIsGivenBackOnce) {
  EXPECT_EQ(run({"stop"}, {"a stop b stop"}), (Outcome{"a ", "stop"}));
  EXPECT_EQ(run({"stop"}, {"stop"}), (Outcome{"", "stop"}));
  EXPECT_EQ(run({"stop"}, {"st", "sto", "stop"}), (Outcome{"ststo", "stop"}));
}

TEST(StopMatcher, TheEarliestMatchWins) {
  EXPECT_EQ(run({"late", "soon"}, {"x soon late"}), (Outcome{"x ", "soon"}));
  EXPECT_EQ(run({"soon", "late"}, {"x late soon"}), (Outcome{"x ", "late"}));
  EXPECT_EQ(run({"abcd", "c"}, {"abcd"}), (Outcome{"ab", "c"}));        // complete first
  EXPECT_EQ(run({"c", "bc", "abc"}, {"xabc"}), (Outcome{"x", "abc"}));  // complete together: the longest
  EXPECT_EQ(run({"ab", "abc"}, {"zabc"}), (Outcome{"z", "ab"}));
}

TEST(StopMatcher, PrefixesThatOverlapThemselves) {
  EXPECT_EQ(run({"aab"}, {"a", "a", "a", "a", "b"}), (Outcome{"aa", "aab"}));
  EXPECT_EQ(run({"abab!"}, {"ababab", "ab!"}), (Outcome{"abab", "abab!"}));
  EXPECT_EQ(run({"aaa"}, {"aa"}), (Outcome{"aa", ""}));
}

TEST(StopMatcher, NeverCutsAUtf8CharacterOfWholePieces) {
  StopMatcher matcher({"\xc3\xa9!"});               // e with acute, then "!"
  EXPECT_EQ(matcher.push("\xc3\xa8"), "\xc3\xa8");  // e with grave begins with the same byte
  EXPECT_EQ(matcher.push("\xc3\xa9"), "");
  EXPECT_EQ(matcher.push("?"), "\xc3\xa9?");
}

TEST(StopMatcher, BytesOfAnyValue) {
  const std::string zero("\0\xff", 2);
  EXPECT_EQ(run({zero}, {std::string("a\0", 2),
                         "\xff"
                         "b"}),
            (Outcome{"a", zero}));
}

TEST(StopMatcher, RefusesAnEmptyStopString) {
  try {
    StopMatcher matcher({"a", ""});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_STREQ(error.what(), "[stop] expected a stop string of at least one byte but got \"\"");
  }
}

TEST(StopMatcher, IsLinearOnTextThatAlmostMatches) {
  // given a stop string that fails at its last byte again and again: quadratic work would be 4e10 comparisons
  const std::string a(200'000, 'a');
  StopMatcher matcher({a + "b"});
  const auto start = std::chrono::steady_clock::now();
  // when
  std::size_t shown = 0;
  for (int i = 0; i < 5; ++i) shown += matcher.push(a).size();
  shown += matcher.finish().size();
  // then
  EXPECT_EQ(shown, 5 * a.size());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2)) << "a hang";
}

std::string small_text(std::size_t max_size) {
  const auto size = *rc::gen::inRange<std::size_t>(0, max_size);
  return *rc::gen::container<std::string>(size, rc::gen::element('a', 'b', 'c'));
}

RC_GTEST_PROP(StopMatcher, AnyCutGivesWhatTheDefinitionGives, ()) {
  // given few letters, so that matches and near matches are common
  std::vector<std::string> stops;
  const auto count = *rc::gen::inRange(0, 5);
  for (int i = 0; i < count; ++i) stops.push_back(small_text(5) + *rc::gen::element('a', 'b', 'c'));
  const std::string text = small_text(60);
  // when cut at random places, an empty piece at the front
  std::vector<std::string> pieces = {""};
  for (std::size_t at = 0; at < text.size();) {
    const auto size = *rc::gen::inRange<std::size_t>(1, 7);
    pieces.push_back(text.substr(at, size));
    at += size;
  }
  // then
  const Outcome expected = definition(stops, text);
  RC_ASSERT(run(stops, pieces) == expected);
  RC_ASSERT(run(stops, {text}) == expected);
}

RC_GTEST_PROP(StopMatcher, HoldsBackTheLongestEndingThatBeginsAStopString, ()) {
  const std::vector<std::string> stops = {small_text(6) + 'a', small_text(6) + 'b'};
  const std::string text = small_text(30);
  StopMatcher matcher(stops);
  const std::string shown = matcher.push(text);
  if (matcher.stopped()) RC_DISCARD("a match");
  std::size_t held = 0;
  for (const std::string& stop : stops) {
    for (std::size_t length = 1; length < stop.size(); ++length) {
      if (text.ends_with(stop.substr(0, length))) held = std::max(held, length);
    }
  }
  RC_ASSERT(shown == text.substr(0, text.size() - held));
}

}  // namespace
}  // namespace xlstm::text
