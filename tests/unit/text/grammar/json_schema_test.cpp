// JSON Schema: beside the verdicts of PyPI's jsonschema, and every refusal by its pointer and keyword.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/unit/text/grammar/texts.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

using nlohmann::ordered_json;
using tests::expect_error;

const JsonOptions kOpen = {.closed_objects = false};

TEST(JsonSchema, AgreesWithJsonschemaOnEveryInstance) {
  std::ifstream file(XLSTM_SOURCE_DIR "/tests/data/grammar/schemas.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));  // versions
  ASSERT_TRUE(std::getline(file, line));
  const auto instances = ordered_json::parse(line).get<std::vector<std::string>>();
  int num_schemas = 0;
  for (; std::getline(file, line); ++num_schemas) {
    const ordered_json entry = ordered_json::parse(line);
    const std::string schema = entry["schema"].dump();
    const GrammarMatcher grammar = make_byte_matcher(compile_json_schema(schema, kOpen));
    for (std::size_t i = 0; i < instances.size(); ++i) {
      EXPECT_EQ(matches(grammar, instances[i]), entry["valid"].get<std::string>()[i] == '1')
          << schema << "\non " << instances[i];
    }
  }
  EXPECT_GT(num_schemas, 100);
}

struct Case {
  std::string schema;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

void check(const Case& test, const JsonOptions& options = {}) {
  const GrammarMatcher grammar = make_byte_matcher(compile_json_schema(test.schema, options));
  for (const std::string& text : test.good) EXPECT_TRUE(matches(grammar, text)) << test.schema << "\non " << text;
  for (const std::string& text : test.bad) EXPECT_FALSE(matches(grammar, text)) << test.schema << "\non " << text;
}

std::string format_schema(const std::string& format) { return R"({"type":"string","format":")" + format + "\"}"; }

TEST(JsonSchema, KnowsFormats) {
  const auto check_format = [](const std::string& format, std::vector<std::string> good, std::vector<std::string> bad) {
    for (auto* list : {&good, &bad}) {
      for (std::string& text : *list) text = std::string(1, '"').append(text).append("\"");
    }
    check({format_schema(format), good, bad});
  };
  check_format("date", {"2024-02-29", "2000-02-29", "1999-12-31", "2023-04-30"},
               {"2023-02-29", "1900-02-29", "2023-04-31", "2023-13-01", "2023-00-10", "2023-1-1", "23-01-01",
                "2023-01-01T00:00:00Z"});
  check_format("time", {"00:00:00Z", "23:59:59.123+01:30", "12:30:00z"},
               {"24:00:00Z", "12:60:00Z", "12:30:00", "12:30Z"});
  check_format("date-time", {"2024-02-29T12:00:00Z", "1985-04-12T23:20:50.52-08:00"},
               {"2024-02-29", "2024-02-30T12:00:00Z", "2024-02-29 12:00:00Z"});
  check_format("duration", {"P1Y2M3D", "PT5H", "P3W", "P1DT12H", "PT1M30S"}, {"P", "PT", "P1S", "1Y", "P1YT"});
  check_format("uuid", {"123e4567-e89b-12d3-a456-426614174000"},
               {"123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g"});
  check_format("email", {"a@b.de", "first.last+tag@sub.example.org"},
               {"a", "a@", "@b.de", "a b@c.de", "a@b", "a@-b.de"});
  check_format("hostname", {"localhost", "a-b.example.org"}, {"-a", "a-", "a..b", "a_b"});
  check_format("ipv4", {"0.0.0.0", "255.249.199.99"}, {"256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"});
  check_format("ipv6", {"::", "::1", "1::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"},
               {":", "1:2:3:4:5:6:7", "1::2::3", "12345::", "1:2:3:4:5:6:7:8:9"});
  check_format("uri", {"https://example.org/a/b?c=d#e", "ftp://host", "http://h:80/%20"},
               {"example.org", "http:/x", "http://", "http://a b"});
  check({R"({"type":"string","format":"date","pattern":"^2024"})", {"\"2024-01-01\""}, {"\"2023-01-01\""}});
}

TEST(JsonSchema, ClosesObjectsThatNameTheirPropertiesUnlessAsked) {
  const char* schema = R"({"type":"object","properties":{"a":{"type":"integer"}}})";
  check({schema, {"{}", "{\"a\":1}"}, {"{\"a\":1,\"b\":2}", "{\"b\":2}", "{\"a\":\"x\"}"}});
  check(
      {schema, {"{}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"b\":2}"}, {"{\"b\":1,\"a\":\"x\"}", "{\"\\u0061\":\"x\"}"}},
      kOpen);
  check({R"({"type":"object"})", {"{}", "{\"b\":2}"}, {"[]"}});
}

TEST(JsonSchema, OrderOfPropertiesIsTheSchemas) {
  check({R"({"type":"object","properties":{"b":{},"a":{},"c":{}},"required":["a"]})",
         {R"({"a":1})", R"({"b":1,"a":2})", R"({"b":1,"a":2,"c":3})", R"({"a":2,"c":3})"},
         {R"({})", R"({"a":1,"b":2})", R"({"b":1})", R"({"c":1})", R"({"a":1,"a":1})", R"({"a":1,})", R"({,"a":1})"}});
}

TEST(JsonSchema, WithoutTypeTakesTheTypesThatItsKeywordsSpeakOf) {
  check({R"({"minLength":1})", {"\"a\""}, {"\"\"", "1", "null"}});
  check({R"({"properties":{"a":{}}})", {"{}"}, {"1", "[]"}});
  check({R"({"items":{"minimum":2},"nullable":true})", {"[2,3]", "null"}, {"[1]", "2"}});
}

TEST(JsonSchema, WhitespaceIsBoundedOrNone) {
  const char* schema = R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{}}})";
  const std::vector<std::string> spaced = {
      "{ \"a\": [ 1, 2 ] }", "{\n  \"a\" : [\r\n\r\n\t1 ,\n2],\n  \"b\": { \"x\" : 1 }\n}", "{ }", "{\"a\":[ ]}"};
  check({schema, spaced, {"{  }", "{\n\n\n}", "{\n" + std::string(21, ' ') + "}", " {}", "{} "}});
  check({schema, {"{}", "{\"a\":[1,2],\"b\":{\"x\":1}}"}, spaced}, {.whitespace = Whitespace::compact});
}

TEST(JsonSchema, StringsMayBeSpelledInAnyWayUnlessTheirTextMatters) {
  check({R"({"type":"string","maxLength":1})",
         {"\"\\u00e4\"", "\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\"", "\"\\/\"", "\"\\n\""},
         {"\"\\ud83d\"", "\"\\ude00\"", "\"\n\"", "\"\\x41\"", "\"ab\""}});
  check({R"({"type":"string","pattern":"^[a\"\\n\\u0001/]$"})",
         {"\"a\"", "\"\\\"\"", "\"\\n\"", "\"\\u0001\"", "\"/\""},
         {"\"\\u0061\"", "\"\\/\"", "\"\\u000a\""}});
}

TEST(JsonSchema, CountedStringsNeedOneStateACharacter) {
  const CompiledGrammar compiled = compile_json_schema(R"({"type":"string","minLength":10,"maxLength":20000})");
  EXPECT_LT(compiled->num_states(), 21'000u);
  const GrammarMatcher grammar = make_byte_matcher(compiled);
  EXPECT_TRUE(matches(grammar, '"' + std::string(20000, 'x') + '"'));
  EXPECT_FALSE(matches(grammar, '"' + std::string(20001, 'x') + '"'));
}

TEST(JsonSchema, ManyOptionalPropertiesStaySmall) {
  ordered_json schema = {{"type", "object"}, {"properties", ordered_json::object()}};
  for (int i = 0; i < 300; ++i) schema["properties"]["property_" + std::to_string(i)] = {{"type", "integer"}};
  const GrammarMatcher grammar = make_byte_matcher(compile_json_schema(schema.dump()));
  EXPECT_TRUE(matches(grammar, R"({"property_7": 1, "property_70": 2, "property_299": 3})"));
  EXPECT_FALSE(matches(grammar, R"({"property_70": 1, "property_7": 2})"));
}

TEST(JsonSchema, RefusesByPointerAndKeyword) {
  struct Fault {
    const char* schema;
    const char* message;
  };
  const Fault faults[] = {
      {"{", "expected JSON but got a syntax error at byte"},
      {"{\"type\":\"string\",\"type\":\"null\"}", "got \"type\" twice"},
      {"1e999", "number that no float64 holds"},
      {"3", "at the root: expected a schema"},
      {R"({"properties":{"a/b":{"items":{"multipleOf":2}}}})",
       "at \"/properties/a~1b/items\": keyword \"multipleOf\" is not supported"},
      {R"({"not":{}})", "at the root: keyword \"not\" is not supported"},
      {R"({"if":{}})", "keyword \"if\" is not supported"},
      {R"({"anyOf":[{},{"dependentRequired":{}}]})", "at \"/anyOf/1\": keyword \"dependentRequired\""},
      {R"({"$anchor":"x"})", "keyword \"$anchor\""},
      {R"({"type":"array","contains":{}})", "keyword \"contains\""},
      {R"({"type":"object","unevaluatedProperties":false})", "keyword \"unevaluatedProperties\""},
      {R"({"$defs":{"a":{"x-y":1}},"items":{"$ref":"#/$defs/a"}})", "at \"/$defs/a\": keyword \"x-y\""},
      {R"({"type":"array","uniqueItems":true})", "at the root: uniqueItems is not supported"},
      {R"({"type":"text"})", "expected type to be"},
      {R"({"type":3})", "expected type to be"},
      {R"({"type":"string","minLength":-1})", "expected minLength to be a number from 0"},
      {R"({"type":"string","maxLength":1000000})", "expected maxLength to be a number from 0 to 100000"},
      {R"({"type":"string","minLength":3,"maxLength":2})", "expected minLength to be at most maxLength"},
      {R"({"type":"string","minLength":"3"})", "expected minLength to be a number"},
      {R"j({"type":"string","pattern":"a(?=b)"})j",
       "json schema at \"/pattern\": character 2: lookahead is not supported"},
      {R"({"type":"string","pattern":3})", "expected pattern to be a string"},
      {R"({"type":"string","format":"phone"})", "expected format to be one of date, time, date-time, duration"},
      {R"({"type":"integer","minimum":"0"})", "expected minimum to be a number"},
      {R"({"type":"integer","exclusiveMinimum":true})", "expected exclusiveMinimum to be a number"},
      {R"({"type":"integer","minimum":1e30})", "expected minimum to have at most 20 digits"},
      {R"({"type":"integer","minimum":2,"maximum":1})", "never ends"},
      {R"({"type":"array","minItems":3,"maxItems":2})", "expected minItems to be at most"},
      {R"({"type":"array","prefixItems":[{}],"items":false,"minItems":2})", "expected minItems to be at most"},
      {R"({"type":"array","prefixItems":{}})", "at \"/prefixItems\": expected a list of schemas"},
      {R"({"type":"object","properties":[]})", "at \"/properties\": expected an object"},
      {R"({"type":"object","required":"a"})", "at \"/required\": expected a list of names"},
      {R"({"type":"object","additionalProperties":false,"required":["a"]})",
       "expected \"a\" to be one of the properties"},
      {R"({"type":"object","properties":{"b":{}},"required":["a"]})", "expected \"a\" to be one of the properties"},
      {R"({"type":"object","patternProperties":{"a":{},"b":{}}})", "more than one pattern is not supported"},
      {R"({"type":"object","properties":{"ab":{}},"patternProperties":{"^a":{}}})",
       "matches a property's name, \"ab\""},
      {R"({"type":"object","properties":{"ab":{}},"propertyNames":{}})", "at \"/propertyNames\""},
      {R"({"type":"object","propertyNames":{"enum":["a"]}})", "keyword \"enum\" is not supported for names"},
      {R"({"type":"object","properties":{"a":{},"b":{}},"minProperties":1})", "minProperties above the number"},
      {R"({"type":"object","properties":{"a":{},"b":{}},"maxProperties":1})", "maxProperties below the number"},
      {R"({"enum":[]})", "expected enum to be a list of values"},
      {R"({"enum":[1],"minimum":0})", "keyword \"minimum\" beside const or enum"},
      {R"({"enum":[1],"type":"string"})", "that type, const and enum allow but there is none"},
      {R"({"anyOf":{}})", "at \"/anyOf\": expected a list"},
      {R"({"allOf":[{"pattern":"a"},{"pattern":"b"}]})", "joining two different values of \"pattern\""},
      {R"({"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]})",
       "another part's property \"b\""},
      {R"({"allOf":3})", "expected allOf to be a list"},
      {R"({"allOf":[3]})", "expected every part to be a schema"},
      {R"({"$ref":"#/nowhere"})", "there is nothing at \"#/nowhere\""},
      {R"({"$ref":"https://example.org/s.json"})", "expected $ref to begin with #/"},
      {R"({"$ref":3})", "expected $ref to be a string"},
      {R"({"$ref":"#"})", "never ends"},
      {R"({"allOf":[{"$ref":"#"}]})", "$ref and allOf lead back to themselves"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "left-recursive"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", "never ends"},
      {"false", "never ends"},
  };
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.schema);
    expect_error(ErrorCode::invalid_argument, fault.message, [&] { compile_json_schema(fault.schema); });
  }
}

TEST(JsonSchema, BoundsDepthAndNumberOfSchemas) {
  std::string deep;
  for (int i = 0; i <= kMaxNesting; ++i) deep += "{\"items\":";
  expect_error(ErrorCode::invalid_argument, "schemas within each other",
               [&] { compile_json_schema(deep + "{}" + std::string(kMaxNesting + 1, '}')); });
  expect_error(ErrorCode::invalid_argument, "levels of JSON", [] { compile_json_schema(std::string(1000, '[')); });
  // Each level doubles what the one before makes.
  std::string schema = "{\"$defs\":{\"d0\":{\"type\":\"integer\"}";
  for (int i = 1; i <= 40; ++i) {
    const std::string ref =
        "{\"$ref\":\"#/$defs/d" + std::to_string(i - 1) + "\",\"minimum\":" + std::to_string(i) + "}";
    schema += ",\"d" + std::to_string(i) + "\":{\"anyOf\":[" + ref + "," + ref + "]}";
  }
  expect_error(ErrorCode::invalid_argument, "schemas but alternatives make more",
               [&] { compile_json_schema(schema + "},\"$ref\":\"#/$defs/d40\",\"maximum\":1000}"); });
}

}  // namespace
}  // namespace xlstm::text::grammar
