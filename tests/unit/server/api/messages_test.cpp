#include "apps/server/api/messages.h"

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kRoute = "POST /v1/messages";

class Messages : public ApiTest {
 protected:
  static Json greedy(const Json& more = Json::object()) {
    Json fields{{"messages", {{{"role", "user"}, {"content", "Whither?"}}}}, {"temperature", 0}, {"max_tokens", 12}};
    fields.update(more);
    return fields;
  }
  static void expect_error(const Json& fields, int status, const std::string& type, const std::string& name) {
    const Json answer = ask(kRoute, fields, status);
    EXPECT_EQ(answer["type"], "error");
    EXPECT_EQ(answer["error"]["type"], type);
    EXPECT_THAT(answer["error"]["message"].get<std::string>(), testing::HasSubstr(name));
  }
};

TEST_F(Messages, AreWhatAChatAnswers) {
  const Json made = ask(kRoute, greedy({{"system", {{{"type", "text"}, {"text", "A play."}}}}}));
  EXPECT_EQ(made["type"], "message");
  EXPECT_EQ(made["role"], "assistant");
  EXPECT_EQ(made["content"][0]["type"], "text");
  EXPECT_EQ(made["content"][0]["text"], alone("SYSTEM.\nA play.\n\nUSER.\nWhither?\n\nASSISTANT.\n", 12).text);
  EXPECT_EQ(made["stop_reason"], "max_tokens");
  EXPECT_TRUE(made["stop_sequence"].is_null());
  EXPECT_EQ(made["usage"]["output_tokens"], 12);
}

TEST_F(Messages, AStreamTellsItPieceByPiece) {
  const std::string body = stream(kRoute, greedy());
  std::string text;
  std::vector<std::string> types;
  for (const Json& event : events(body)) {
    const std::string type = event["type"];
    EXPECT_THAT(body, testing::HasSubstr("event: " + type + "\ndata: {\"type\":\"" + type));
    if (type == "content_block_delta") text += event["delta"]["text"].get<std::string>();
    if (types.empty() || types.back() != type) types.push_back(type);
  }
  EXPECT_THAT(types, testing::ElementsAre("message_start", "content_block_start", "content_block_delta",
                                          "content_block_stop", "message_delta", "message_stop"));
  EXPECT_EQ(text, ask(kRoute, greedy())["content"][0]["text"]);
  EXPECT_THAT(body, testing::Not(testing::HasSubstr("[DONE]")));
}

TEST_F(Messages, AStopSequenceIsTold) {
  const std::string whole = ask(kRoute, greedy())["content"][0]["text"];
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const Json made = ask(kRoute, greedy({{"stop_sequences", {"never", stop}}}));
  EXPECT_EQ(made["stop_reason"], "stop_sequence");
  EXPECT_EQ(made["stop_sequence"], stop);
  EXPECT_EQ(made["content"][0]["text"], whole.substr(0, whole.find(stop)));
}

TEST_F(Messages, ALastAnswerIsGoneOnWith) {
  const Json talk{{{"role", "user"}, {"content", "Whither?"}}, {{"role", "assistant"}, {"content", "To Rome"}}};
  EXPECT_EQ(ask(kRoute, greedy({{"messages", talk}}))["content"][0]["text"],
            alone("USER.\nWhither?\n\nASSISTANT.\nTo Rome", 12).text);
}

TEST_F(Messages, AToolIsCalledAndAnswered) {
  const Json schema{
      {"type", "object"}, {"properties", {{"town", {{"enum", {"Rome", "Ephesus"}}}}}}, {"required", {"town"}}};
  const Json fields = greedy({{"tools", {{{"name", "go_to"}, {"input_schema", schema}}}},
                              {"tool_choice", {{"type", "tool"}, {"name", "go_to"}}},
                              {"max_tokens", 200}});
  const Json made = ask(kRoute, fields);
  const Json& call = made["content"][0];
  EXPECT_EQ(made["stop_reason"], "tool_use");
  EXPECT_EQ(call["type"], "tool_use");
  EXPECT_TRUE(call["input"].contains("town"));
  std::string arguments;
  for (const Json& event : events(stream(kRoute, fields))) {
    if (event["type"] == "content_block_delta") arguments += event["delta"]["partial_json"].get<std::string>();
    EXPECT_TRUE(event["type"] != "content_block_start" || event["content_block"]["input"].empty());
  }
  EXPECT_EQ(Json::parse(arguments), call["input"]);

  const Json result{
      {"type", "tool_result"}, {"tool_use_id", call["id"]}, {"content", {{{"type", "text"}, {"text", "ok"}}}}};
  const Json talk{{{"role", "user"}, {"content", "Go."}},
                  {{"role", "assistant"}, {"content", {call}}},
                  {{"role", "user"}, {"content", {result, {{"type", "text"}, {"text", "And?"}}}}}};
  EXPECT_EQ(ask(kRoute, greedy({{"messages", talk}}))["content"][0]["text"],
            alone("USER.\nGo.\n\nASSISTANT.\n\n\nTOOL.\nok\n\nUSER.\nAnd?\n\nASSISTANT.\n", 12).text);
}

TEST_F(Messages, TokensAreCounted) {
  Json fields = greedy();
  fields.erase("max_tokens");
  fields.erase("temperature");
  EXPECT_EQ(ask("POST /v1/messages/count_tokens", fields)["input_tokens"],
            server_->service().engine().encode("USER.\nWhither?\n\nASSISTANT.\n", true).size());
}

TEST_F(Messages, RefuseByName) {
  expect_error(greedy({{"max_tokens", nullptr}}), 400, "invalid_request_error", "max_tokens");
  expect_error(greedy({{"messages", Json::array()}}), 400, "invalid_request_error", "messages");
  expect_error(greedy({{"thinking", {{"type", "enabled"}, {"budget_tokens", 9}}}}), 400, "invalid_request_error",
               "thinking.type");
  expect_error(greedy({{"n", 2}}), 400, "invalid_request_error", "n:");
  expect_error(greedy({{"messages", {{{"role", "user"}, {"content", {{{"type", "image"}}}}}}}}), 400,
               "invalid_request_error", "messages[0].content[0].type");
  const HttpResponse other = server_->send(kRoute, R"({"model": "claude", "max_tokens": 1, "messages": []})");
  EXPECT_EQ(other.status, 404);
  EXPECT_EQ(Json::parse(other.body)["error"]["type"], "not_found_error");
}

}  // namespace
}  // namespace xlstm::server::api
