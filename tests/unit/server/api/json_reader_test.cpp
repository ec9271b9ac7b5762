#include "apps/server/api/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/server/api/expect_refusal.h"

namespace xlstm::server::api {
namespace {

Json parse(std::string_view text) { return parse_json(text, Limits()); }

TEST(ParseJson, TellsTheByteThatIsWrong) {
  EXPECT_EQ(parse(R"({"a": [1, 2.5, "x", null, true]})")["a"].size(), 5u);
  for (const char* text : {"", "{", R"({"a" 1})", "[1,]", "{\"a\": \"\xff\"}", "nul", "{} {}"}) {
    expect_refusal(400, "invalid_json", "", [&] { parse(text); });
  }
  expect_refusal(400, "invalid_json", "", [] { parse(R"({"a": 1e999})"); });
}

TEST(ParseJson, DeepNestingIsRefusedNotFollowed) {
  Limits limits;
  limits.json_depth = 3;
  EXPECT_NO_THROW(parse_json("[[[1]]]", limits));
  expect_refusal(413, "json_limit", "", [&] { parse_json("[[[[1]]]]", limits); });
  expect_refusal(413, "json_limit", "", [&] { parse_json(R"({"a":{"a":{"a":{}}}})", limits); });
  const std::string deep(1'000'000, '[');
  expect_refusal(413, "json_limit", "", [&] { parse(deep); });
}

TEST(ParseJson, CountsValues) {
  Limits limits;
  limits.json_values = 4;
  EXPECT_NO_THROW(parse_json("[1,2,3]", limits));
  expect_refusal(413, "json_limit", "", [&] { parse_json("[1,2,3,4]", limits); });
}

TEST(ObjectReader, ReadsFieldsOfEachKind) {
  const Json body = parse(R"({"b": true, "i": -3, "n": 0.5, "t": "x", "o": {}, "a": [], "none": null})");
  ObjectReader reader(body);
  EXPECT_EQ(reader.boolean("b"), true);
  EXPECT_EQ(reader.integer("i", -3, 3), -3);
  EXPECT_EQ(reader.number("n", 0, 1), 0.5);
  EXPECT_EQ(reader.text("t"), "x");
  EXPECT_NE(reader.object("o"), nullptr);
  EXPECT_NE(reader.array("a"), nullptr);
  EXPECT_EQ(reader.one_of("t", {"y", "x"}), "x");
  EXPECT_EQ(reader.text("absent"), std::nullopt);
  EXPECT_NO_THROW(reader.finish()) << "null is absent, even of a name that nobody knows";
}

TEST(ObjectReader, AnotherTypeIsRefusedByName) {
  const Json body = parse(R"({"x": [1, 2], "half": 1.5, "text": "1"})");
  ObjectReader reader(body);
  expect_refusal(400, "invalid_value", "x", [&] { reader.boolean("x"); });
  expect_refusal(400, "invalid_value", "x", [&] { reader.text("x"); });
  expect_refusal(400, "invalid_value", "x", [&] { reader.object("x"); });
  expect_refusal(400, "invalid_value", "half", [&] { reader.integer("half", 0, 9); });
  expect_refusal(400, "invalid_value", "text", [&] { reader.number("text", 0, 9); });
  expect_refusal(400, "invalid_value", "text", [&] { reader.array("text"); });
  expect_refusal(400, "missing_parameter", "none", [&] { reader.required_text("none"); });
  expect_refusal(400, "invalid_value", "body", [] { ObjectReader(Json::array()); });
}

TEST(ObjectReader, RangesIncludeTheirEnds) {
  const Json body = parse(R"({"low": 0, "high": 20, "over": 21, "huge": 18446744073709551615})");
  ObjectReader reader(body);
  EXPECT_EQ(reader.integer("low", 0, 20), 0);
  EXPECT_EQ(reader.integer("high", 0, 20), 20);
  EXPECT_EQ(reader.number("high", 0, 20), 20.0);
  expect_refusal(400, "invalid_value", "over", [&] { reader.integer("over", 0, 20); });
  expect_refusal(400, "invalid_value", "over", [&] { reader.number("over", 0, 20); });
  expect_refusal(400, "invalid_value", "huge", [&] { reader.integer("huge", INT64_MIN, INT64_MAX); });
}

TEST(ObjectReader, TellsWhatWasExpectedAndFound) {
  const Json body = parse(R"({"n": 17, "long": ")" + std::string(500, 'x') + R"("})");
  ObjectReader reader(body, "tools[2]");
  try {
    reader.integer("n", 1, 16);
    FAIL() << "expected a refusal";
  } catch (const ApiError& error) {
    EXPECT_STREQ(error.what(), "tools[2].n: expected an integer from 1 to 16 but got 17");
  }
  try {
    reader.one_of("long", {"a", "b"});
    FAIL() << "expected a refusal";
  } catch (const ApiError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(R"(expected "a" or "b" but got "xxx)"));
    EXPECT_LT(std::string(error.what()).size(), 200u);
  }
}

TEST(ObjectReader, WhatNobodyReadsIsUnknown) {
  const Json body = parse(R"({"model": "m", "user": "u", "audio": {}, "temprature": 1})");
  ObjectReader reader(body);
  reader.text("model");
  reader.ignore({"user"});
  expect_refusal(400, "unsupported_parameter", "audio", [&] { reader.refuse_unsupported({"audio", "modalities"}); });
  EXPECT_NO_THROW(reader.refuse_unsupported({"modalities"}));
  reader.ignore({"audio"});
  expect_refusal(400, "unknown_parameter", "temprature", [&] { reader.finish(); });
}

}  // namespace
}  // namespace xlstm::server::api
