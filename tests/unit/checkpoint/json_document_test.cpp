#include "xlstm/checkpoint/json_document.h"

#include <gtest/gtest.h>

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "xlstm/base/error.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

json from_yaml(const std::string& text) { return parse_yaml(bytes(text), "config.yaml"); }

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt_file);
    return error.what();
  }
  return "no error";
}

TEST(ParseYaml, PlainScalarsGetTheirTypes) {
  const json tree = from_yaml(
      "integer: 64\nnegative: -3\nplus: +5\nfloat: 2.667\nexponent: 1e-06\ntruth: yes\nno_: False\nnothing: "
      "null\ntilde: ~\nempty:\n"
      "text: chunkwise--triton_xl_chunk\nquoted: '64'\nversion: 1.2.3\n");
  EXPECT_EQ(tree["integer"], 64);
  EXPECT_TRUE(tree["integer"].is_number_integer());
  EXPECT_EQ(tree["negative"], -3);
  EXPECT_EQ(tree["plus"], 5);
  EXPECT_EQ(tree["float"], 2.667);
  EXPECT_EQ(tree["exponent"], 1e-6);
  EXPECT_EQ(tree["truth"], true);
  EXPECT_EQ(tree["no_"], false);
  EXPECT_TRUE(tree["nothing"].is_null());
  EXPECT_TRUE(tree["tilde"].is_null());
  EXPECT_TRUE(tree["empty"].is_null());
  EXPECT_EQ(tree["text"], "chunkwise--triton_xl_chunk");
  EXPECT_EQ(tree["quoted"], "64");
  EXPECT_EQ(tree["version"], "1.2.3");
}

TEST(ParseYaml, NestsMappingsAndLists) {
  const json tree = from_yaml("slstm_at: [1, 4]\nblock:\n  inner:\n    list:\n    - 1\n    - x\n");
  EXPECT_EQ(tree, json::parse(R"({"slstm_at":[1,4],"block":{"inner":{"list":[1,"x"]}}})"));
}

TEST(ParseYaml, KeysThatLookLikeOtherTypesAreRefused) {
  EXPECT_NE(message_of([] { from_yaml("1: a\n"); }).find("a key that is not a string"), std::string::npos);
}

TEST(ParseYaml, LimitsSizeBeforeItParses) {
  const std::string text = "a: " + std::string(70'000, 'x') + "\n";
  EXPECT_NE(message_of([&] { from_yaml(text); }).find("at most 65536 bytes"), std::string::npos);
}

TEST(ParseYaml, HostileTextsOfTheLargestSizeEndSoon) {
  const std::vector<std::string> patterns = {"[",  "{", "- ", "? ",     "a: ", "[a,", "{a: ", "!", "&",
                                             "\"", "|", "\t", "- - - ", "-\n", ": ",  "#\n",  "%", "'"};
  for (const std::string& pattern : patterns) {
    std::string text;
    while (text.size() + pattern.size() <= 65'000) text += pattern;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(message_of([&] { from_yaml(text); }), "no error") << pattern;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 2) << pattern;
  }
}

TEST(ParseJson, LimitsSizeBeforeItParses) {
  const std::string text = R"({"a":1,"b":2})";
  EXPECT_NO_THROW(parse_json(bytes(text), "f", text.size()));
  EXPECT_NE(message_of([&] { parse_json(bytes(text), "f", text.size() - 1); }).find("at most 12 bytes"),
            std::string::npos);
}

TEST(ParseJson, NestsUpToTheLimitAndNoFurther) {
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(depth - 1), '[') +
           std::string(static_cast<std::size_t>(depth - 1), ']') + "}";
  };
  EXPECT_NO_THROW(parse_json(bytes(nested(kMaxDepth)), "f", 1 << 20));
  EXPECT_NE(message_of([&] { parse_json(bytes(nested(kMaxDepth + 2)), "f", 1 << 20); }).find("nesting"),
            std::string::npos);
  EXPECT_NE(message_of([&] { parse_json(bytes(nested(500'000)), "f", 1 << 21); }).find("nesting"), std::string::npos);
}

TEST(ParseJson, TheSameKeyIsAllowedInDifferentObjectsOnly) {
  EXPECT_NO_THROW(parse_json(bytes(R"({"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":1}]})"), "f", 1 << 20));
  EXPECT_NE(message_of([] { parse_json(bytes(R"({"b":{"x":1,"y":2,"x":3}})"), "f", 1 << 20); }).find("\"x\" twice"),
            std::string::npos);
}

TEST(DumpYaml, IsReadBackAsTheSameTree) {
  const json tree = {{"integer", 64},
                     {"negative", -3},
                     {"whole_float", 15.0},
                     {"small", 1e-6},
                     {"large", 1.5e30},
                     {"truth", true},
                     {"nothing", nullptr},
                     {"text", "chunkwise--triton_xl_chunk"},
                     {"looks_like_a_number", "64"},
                     {"looks_like_truth", "yes"},
                     {"hostile", "a: b # c\n\"'\\ \u00e9 \x7f"},
                     {"no", "a word of YAML"},
                     {"12", "a number"},
                     {"", "nothing"},
                     {"a.b: c", {{"x", {1, 2.5, "three", {{"deep", nullptr}}}}, {"y", json::array()}}},
                     {"empty", json::object()}};
  const std::string text = dump_yaml(tree);
  EXPECT_EQ(from_yaml(text), tree) << text;
}

// PyYAML, like YAML 1.1, takes 1e-06 for a text.
TEST(DumpYaml, NumbersHaveAPoint) {
  EXPECT_EQ(dump_yaml({{"eps", 1e-6}}), "eps: 1.0e-06\n");
  EXPECT_EQ(dump_yaml({{"cap", 15.0}, {"heads", 4}}), "cap: 15.0\nheads: 4\n");
}

}  // namespace
}  // namespace xlstm::checkpoint
