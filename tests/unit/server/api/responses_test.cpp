#include "apps/server/api/responses.h"

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;
using testing::StartsWith;

constexpr const char* kRoute = "POST /v1/responses";

class Responses : public ApiTest {
 protected:
  static Json greedy(const Json& more = Json::object()) {
    Json fields{{"input", "Whither?"}, {"temperature", 0}, {"max_output_tokens", 12}};
    fields.update(more);
    return fields;
  }
  static std::string text_of(const Json& response) { return response["output"][0]["content"][0]["text"]; }
  static Json go_to() {
    const Json schema{
        {"type", "object"}, {"properties", {{"town", {{"enum", {"Rome", "Ephesus"}}}}}}, {"required", {"town"}}};
    return {{"type", "function"}, {"name", "go_to"}, {"parameters", schema}, {"strict", true}};
  }
};

TEST_F(Responses, AreWhatAChatAnswers) {
  const Json response = ask(kRoute, greedy());
  EXPECT_THAT(response["id"].get<std::string>(), StartsWith("resp_"));
  EXPECT_EQ(response["object"], "response");
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(response["output"][0]["type"], "message");
  EXPECT_EQ(response["output"][0]["role"], "assistant");
  EXPECT_EQ(text_of(response), alone("USER.\nWhither?\n\nASSISTANT.\n", 12).text);
  EXPECT_EQ(response["usage"]["output_tokens"], 12);
  EXPECT_EQ(ask(kRoute,
                greedy({{"input",
                         {{{"role", "user"},
                           {"content", {{{"type", "input_text"}, {"text", "Whither?"}}}}}}}}))["output"][0]["content"],
            response["output"][0]["content"]);
}

TEST_F(Responses, ThePreviousOneIsNotReadAgain) {
  const Json first = ask(kRoute, greedy());
  const Json second = ask(kRoute, greedy({{"input", "And then?"}, {"previous_response_id", first["id"]}}));
  EXPECT_EQ(second["previous_response_id"], first["id"]);
  const Json talk{{{"role", "user"}, {"content", "Whither?"}},
                  {{"role", "assistant"}, {"content", text_of(first)}},
                  {{"role", "user"}, {"content", "And then?"}}};
  const Json chat = ask("POST /v1/chat/completions", {{"messages", talk}, {"temperature", 0}, {"max_tokens", 12}});
  EXPECT_EQ(text_of(second), chat["choices"][0]["message"]["content"]);
  EXPECT_EQ(second["usage"]["input_tokens"], chat["usage"]["prompt_tokens"]);
  // All that the first has read, and all but the last id of its answer.
  EXPECT_EQ(second["usage"]["input_tokens_details"]["cached_tokens"],
            first["usage"]["input_tokens"].get<int>() + first["usage"]["output_tokens"].get<int>() - 1);
  const Json third = ask(kRoute, greedy({{"input", "Why?"}, {"previous_response_id", second["id"]}}));
  EXPECT_GT(third["usage"]["input_tokens"], second["usage"]["input_tokens"]);
}

TEST_F(Responses, InstructionsAreForOneAnswer) {
  const Json first = ask(kRoute, greedy({{"instructions", "A play."}}));
  EXPECT_EQ(text_of(first), alone("SYSTEM.\nA play.\n\nUSER.\nWhither?\n\nASSISTANT.\n", 12).text);
  const Json second = ask(kRoute, greedy({{"input", "x"}, {"previous_response_id", first["id"]}}));
  EXPECT_EQ(text_of(second),
            alone("USER.\nWhither?\n\nASSISTANT.\n" + text_of(first) + "\n\nUSER.\nx\n\nASSISTANT.\n", 12).text);
}

TEST_F(Responses, AreKeptUntilTheyAreDeleted) {
  const Json made = ask(kRoute, greedy());
  const std::string id = made["id"];
  EXPECT_EQ(Json::parse(server_->send("GET /v1/responses/{id}", "", id).body), made);
  EXPECT_EQ(server_->send("DELETE /v1/responses/{id}", "", id).status, 200);
  EXPECT_EQ(server_->send("GET /v1/responses/{id}", "", id).status, 404);
  expect_refused(kRoute, greedy({{"previous_response_id", id}}), 404, "state_not_found", "previous_response_id");
  const std::string forgotten = ask(kRoute, greedy({{"store", false}}))["id"];
  EXPECT_EQ(server_->send("GET /v1/responses/{id}", "", forgotten).status, 404);
  const std::string state = ask("POST /v1/states", {{"prompt", "x"}})["id"];
  EXPECT_EQ(server_->send("GET /v1/responses/{id}", "", state).status, 404);
  expect_refused(kRoute, greedy({{"previous_response_id", state}}), 400, "invalid_value", "previous_response_id");
}

TEST_F(Responses, AStreamTellsItPieceByPiece) {
  const std::vector<Json> all = events(stream(kRoute, greedy()));
  std::string text;
  std::vector<std::string> types;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["sequence_number"], i);
    types.push_back(all[i]["type"]);
    if (types.back() == "response.output_text.delta") text += all[i]["delta"].get<std::string>();
  }
  EXPECT_EQ(text, text_of(ask(kRoute, greedy())));
  std::erase(types, "response.output_text.delta");
  EXPECT_THAT(types,
              testing::ElementsAre("response.created", "response.in_progress", "response.output_item.added",
                                   "response.content_part.added", "response.output_text.done",
                                   "response.content_part.done", "response.output_item.done", "response.incomplete"));
  EXPECT_EQ(text_of(all.back()["response"]), text);
  const std::string id = all.back()["response"]["id"];
  EXPECT_EQ(id, all.front()["response"]["id"]);
  EXPECT_EQ(ask(kRoute, greedy({{"previous_response_id", id}}))["previous_response_id"], id);
}

TEST_F(Responses, AToolIsCalledAndAnswered) {
  const Json fields = greedy({{"tools", {go_to()}}, {"tool_choice", "required"}, {"max_output_tokens", 200}});
  const Json made = ask(kRoute, fields);
  const Json& call = made["output"][0];
  EXPECT_EQ(made["status"], "completed");
  EXPECT_EQ(call["type"], "function_call");
  EXPECT_EQ(call["name"], "go_to");
  EXPECT_TRUE(Json::parse(call["arguments"].get<std::string>()).contains("town"));
  const Json output{{"type", "function_call_output"}, {"call_id", call["call_id"]}, {"output", "arrived"}};
  EXPECT_EQ(ask(kRoute, greedy({{"input", {output}}, {"previous_response_id", made["id"]}}))["object"], "response");

  std::string arguments;
  for (const Json& event : events(stream(kRoute, fields))) {
    if (event["type"] == "response.function_call_arguments.delta") arguments += event["delta"].get<std::string>();
  }
  EXPECT_EQ(arguments, call["arguments"]);
}

TEST_F(Responses, AFormatIsEnforced) {
  const Json format{
      {"type", "json_schema"}, {"name", "n"}, {"schema", {{"type", "integer"}, {"minimum", 7}, {"maximum", 7}}}};
  const Json made = ask(kRoute, greedy({{"text", {{"format", format}}}}));
  EXPECT_EQ(text_of(made), "7");
  EXPECT_EQ(made["status"], "completed");
}

TEST_F(Responses, RefuseByName) {
  expect_refused(kRoute, greedy({{"input", nullptr}}), 400, "missing_parameter", "input");
  expect_refused(kRoute, greedy({{"background", true}}), 400, "unsupported_parameter", "background");
  expect_refused(kRoute, greedy({{"reasoning", {{"effort", "low"}}}}), 400, "unsupported_parameter", "reasoning");
  expect_refused(kRoute, greedy({{"truncation", "auto"}}), 400, "invalid_value", "truncation");
  expect_refused(kRoute, greedy({{"max_tokens", 7}}), 400, "unknown_parameter", "max_tokens");
  expect_refused(kRoute, greedy({{"input", {{{"type", "item_reference"}, {"id", "x"}}}}}), 400, "invalid_value",
                 "input[0].type");
  expect_refused(kRoute, greedy({{"tools", {{{"type", "web_search"}}}}}), 400, "invalid_value", "tools[0].type");
}

}  // namespace
}  // namespace xlstm::server::api
