#include "apps/server/api/tools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xlstm::server::api {
namespace {

using Kind = AnswerPart::Kind;

/// Parts as one text: content as it is, calls as [name]{arguments}. Cut into pieces of `size`, of 0 none.
std::string parse(const std::string& text, const ToolUse& use, std::size_t size) {
  ToolCallParser parser(use);
  std::vector<AnswerPart> parts;
  const auto take = [&](std::vector<AnswerPart> more) { parts.insert(parts.end(), more.begin(), more.end()); };
  if (size == 0) take(parser.push(text));
  for (std::size_t at = 0; size > 0 && at < text.size(); at += size) take(parser.push(text.substr(at, size)));
  take(parser.finish());
  std::string joined;
  for (const AnswerPart& part : parts) joined += part.kind == Kind::call ? "[" + part.text + "]" : part.text;
  return joined;
}

ToolUse use(ToolUse::Choice choice = ToolUse::Choice::automatic) {
  ToolUse made;
  made.choice = choice;
  made.names = {"f", "g"};
  return made;
}

void expect_parts(const std::string& text, const std::string& expected, const ToolUse& tools = use()) {
  for (std::size_t size = 0; size <= 7; ++size) EXPECT_EQ(parse(text, tools, size), expected) << "pieces of " << size;
}

TEST(ToolCallParser, PlainTextIsContent) {
  for (const char* text : {"", "Hello", "a < b, <tool", "<tool_calls>", " \n", "{\"name\": \"f\"", "[1, 2]", "{}",
                           R"({"name": "other", "arguments": {}})", R"({"name": "f", "arguments": 3})"}) {
    expect_parts(text, text);
  }
}

TEST(ToolCallParser, AWholeTextOrAListIsACall) {
  expect_parts(R"( {"name": "f", "arguments": {"a": "}\""}} )", R"([f]{"a":"}\""})");
  expect_parts(R"({"name": "g", "parameters": {}})", "[g]{}");
  expect_parts(R"([{"name": "f", "arguments": {}}, {"name": "g", "arguments": {"x": 1}}])", R"([f]{}[g]{"x":1})");
}

TEST(ToolCallParser, TagsMayHaveTextAroundThem) {
  expect_parts("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>", "[f]{}");
  expect_parts(
      "So: <tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"g\",\"arguments\":{}}"
      "</tool_call>\n",
      "So: [f]{}[g]{}");
  expect_parts("<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call> done ", "[f]{} done ");
}

TEST(ToolCallParser, ATagThatHoldsNoCallIsContent) {
  for (const char* text : {"<tool_call>x</tool_call>", "<tool_call>{\"name\":\"f\"", "a<tool_call>"}) {
    expect_parts(text, text);
  }
}

TEST(ToolCallParser, WithoutParallelCallsTheFirstCounts) {
  ToolUse one = use();
  one.parallel = false;
  expect_parts(R"([{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}])", "[f]{}", one);
}

TEST(ToolCallParser, EnforcedArgumentsComeAsTheyAreWritten) {
  const ToolUse enforced = use(ToolUse::Choice::enforced);
  expect_parts(R"({"name": "f", "arguments": {"a": ["{", {"b": "\"}"}], "arguments": 1}})",
               R"([f]{"a": ["{", {"b": "\"}"}], "arguments": 1})", enforced);
  expect_parts(R"({"name":"f","arguments":{"a":)", R"([f]{"a":)", enforced);  // cut by its length
  expect_parts(R"({"name":"f")", R"({"name":"f")", enforced);
  ToolCallParser parser(enforced);
  EXPECT_TRUE(parser.push(R"({"name":"f","arguments": )").empty());
  EXPECT_EQ(parser.push(R"({"a)").size(), 2u);
  EXPECT_TRUE(parser.called());
}

}  // namespace
}  // namespace xlstm::server::api
