#include "apps/server/api/chat.h"

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

constexpr const char* kRoute = "POST /v1/chat/completions";

Json user(const std::string& text) { return {{"role", "user"}, {"content", text}}; }

class Chat : public ApiTest {
 protected:
  static Json greedy(const Json& more = Json::object()) {
    Json fields{{"messages", {user("Whither?")}}, {"temperature", 0}, {"max_tokens", 12}};
    fields.update(more);
    return fields;
  }
  static Json tool(const std::string& name) {
    const Json parameters{
        {"type", "object"}, {"properties", {{"town", {{"enum", {"Rome", "Ephesus"}}}}}}, {"required", {"town"}}};
    return {{"type", "function"}, {"function", {{"name", name}, {"parameters", parameters}}}};
  }
};

TEST_F(Chat, AnswersWhatTheTemplateMakesOfTheMessages) {
  const Json answer = ask(kRoute, greedy());
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_THAT(answer["id"].get<std::string>(), testing::StartsWith("chatcmpl-"));
  const Json& choice = answer["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], alone("USER.\nWhither?\n\nASSISTANT.\n", 12).text);
  EXPECT_EQ(choice["finish_reason"], "length");
}

TEST_F(Chat, AStreamHasTheSameText) {
  const std::string body =
      stream(kRoute, greedy({{"stream_options", {{"include_usage", true}}}, {"max_completion_tokens", 12}}));
  std::string text;
  const std::vector<Json> all = events(body);
  EXPECT_EQ(all.front()["object"], "chat.completion.chunk");
  EXPECT_EQ(all.front()["choices"][0]["delta"]["role"], "assistant");
  for (const Json& event : all) {
    for (const Json& choice : event["choices"]) text += choice["delta"].value("content", "");
  }
  EXPECT_EQ(text, ask(kRoute, greedy())["choices"][0]["message"]["content"]);
  EXPECT_EQ(all[all.size() - 2]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(all.back()["usage"]["completion_tokens"], 12);
  EXPECT_THAT(body, testing::EndsWith("data: [DONE]\n\n"));
}

TEST_F(Chat, PartsOfTextAndDevelopersAreRead) {
  const Json parts{{"role", "user"},
                   {"content", {{{"type", "text"}, {"text", "Whi"}}, {{"type", "text"}, {"text", "ther?"}}}}};
  EXPECT_EQ(ask(kRoute, greedy({{"messages", {parts}}}))["choices"], ask(kRoute, greedy())["choices"]);
  EXPECT_EQ(
      ask(kRoute, greedy({{"messages", {{{"role", "developer"}, {"content", "A play."}}, user("x")}}}))["choices"],
      ask(kRoute, greedy({{"messages", {{{"role", "system"}, {"content", "A play."}}, user("x")}}}))["choices"]);
}

TEST_F(Chat, LogProbsHaveTheFormOfChats) {
  const Json choice = ask(kRoute, greedy({{"logprobs", true}, {"top_logprobs", 3}}))["choices"][0];
  std::string joined;
  for (const Json& token : choice["logprobs"]["content"]) {
    EXPECT_EQ(token["top_logprobs"].size(), 3u);
    EXPECT_LE(token["logprob"].get<double>(), 0);
    for (const Json& byte : token["bytes"]) joined += static_cast<char>(byte.get<int>());
  }
  EXPECT_EQ(joined, choice["message"]["content"]);
  std::size_t streamed = 0;
  for (const Json& event : events(stream(kRoute, greedy({{"logprobs", true}})))) {
    const Json& logprobs = event["choices"][0]["logprobs"];
    if (!logprobs.is_null()) streamed += logprobs["content"].size();
  }
  EXPECT_EQ(streamed, choice["logprobs"]["content"].size());
}

TEST_F(Chat, ARequiredToolIsCalledAndItsArgumentsAreValid) {
  const Json fields =
      greedy({{"tools", {tool("go_to"), tool("stay_in")}}, {"tool_choice", "required"}, {"max_tokens", 200}});
  const Json choice = ask(kRoute, fields)["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls") << choice;
  EXPECT_TRUE(choice["message"]["content"].is_null());
  ASSERT_EQ(choice["message"]["tool_calls"].size(), 1u);
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_THAT(call["function"]["name"].get<std::string>(), testing::AnyOf("go_to", "stay_in"));
  const Json arguments = Json::parse(call["function"]["arguments"].get<std::string>());
  EXPECT_THAT(arguments["town"].get<std::string>(), testing::AnyOf("Rome", "Ephesus"));

  std::string name, streamed, reason;
  int deltas = 0;
  for (const Json& event : events(stream(kRoute, fields))) {
    const Json& delta = event["choices"][0]["delta"];
    if (event["choices"][0]["finish_reason"].is_string()) reason = event["choices"][0]["finish_reason"];
    if (!delta.contains("tool_calls")) continue;
    EXPECT_EQ(delta["tool_calls"][0]["index"], 0);
    name += delta["tool_calls"][0]["function"].value("name", "");
    streamed += delta["tool_calls"][0]["function"]["arguments"].get<std::string>();
    ++deltas;
  }
  EXPECT_EQ(name, call["function"]["name"]);
  EXPECT_EQ(streamed, call["function"]["arguments"]);
  EXPECT_EQ(reason, "tool_calls");
  EXPECT_GT(deltas, 2) << "arguments come as they are written";
}

TEST_F(Chat, ANamedToolIsTheOneThatIsCalled) {
  const Json choice{{"type", "function"}, {"function", {{"name", "stay_in"}}}};
  const Json answer =
      ask(kRoute, greedy({{"tools", {tool("go_to"), tool("stay_in")}}, {"tool_choice", choice}, {"max_tokens", 200}}));
  EXPECT_EQ(answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "stay_in");
}

TEST_F(Chat, NoToolIsCalledWhereNoneMayBe) {
  const Json without = ask(kRoute, greedy())["choices"];
  EXPECT_EQ(ask(kRoute, greedy({{"tools", {tool("go_to")}}, {"tool_choice", "none"}}))["choices"], without);
  const Json automatic = ask(kRoute, greedy({{"tools", {tool("go_to")}}}))["choices"][0];
  EXPECT_TRUE(automatic["message"]["content"].is_string()) << automatic;
}

TEST_F(Chat, AStateThatHasReadTheBeginningIsUsed) {
  const Json first = ask(kRoute, greedy({{"return_state", true}}))["choices"][0];
  const Json talk{
      user("Whither?"), {{"role", "assistant"}, {"content", first["message"]["content"]}}, user("And then?")};
  const Json plain = ask(kRoute, greedy({{"messages", talk}}));
  const Json fields = greedy({{"messages", talk}, {"state", first["state_id"]}, {"return_state", true}});
  const Json answer = ask(kRoute, fields);
  EXPECT_EQ(answer["choices"][0]["message"], plain["choices"][0]["message"]);
  EXPECT_LT(answer["usage"]["prompt_tokens"].get<int>(), plain["usage"]["prompt_tokens"].get<int>());
  expect_refused(kRoute, greedy({{"messages", {user("Something else")}}, {"state", first["state_id"]}}), 400,
                 "invalid_value", "state");
}

TEST_F(Chat, RefusesByName) {
  const auto message = [](const Json& fields) { return Json{{"messages", {fields}}}; };
  const Json image{{"type", "image_url"}, {"image_url", {{"url", "x"}}}};
  const std::vector<std::tuple<Json, int, std::string, std::string>> cases = {
      {{{"audio", {{"voice", "x"}}}}, 400, "unsupported_parameter", "audio"},
      {{{"functions", Json::array()}}, 400, "unsupported_parameter", "functions"},
      {{{"reasoning_effort", "low"}}, 400, "unsupported_parameter", "reasoning_effort"},
      {{{"modalities", {"audio"}}}, 400, "invalid_value", "modalities"},
      {{{"store", true}}, 400, "invalid_value", "store"},
      {{{"service_tier", "flex"}}, 400, "invalid_value", "service_tier"},
      {{{"prompt", "x"}}, 400, "unknown_parameter", "prompt"},
      {{{"messages", nullptr}}, 400, "missing_parameter", "messages"},
      {{{"messages", Json::array()}}, 400, "invalid_value", "messages"},
      {message({{"role", "wizard"}, {"content", "x"}}), 400, "invalid_value", "messages[0].role"},
      {message({{"role", "user"}}), 400, "invalid_value", "messages[0].content"},
      {message({{"role", "user"}, {"content", {image}}}), 400, "unsupported_value", "messages[0].content[0].type"},
      {message({{"role", "user"}, {"content", "x"}, {"colour", 1}}), 400, "unknown_parameter", "messages[0].colour"},
      {{{"top_logprobs", 2}}, 400, "invalid_value", "top_logprobs"},
      {{{"logprobs", 2}}, 400, "invalid_value", "logprobs"},
      {{{"max_tokens", 5}, {"max_completion_tokens", 6}}, 400, "invalid_value", "max_tokens"},
      {{{"tool_choice", "required"}}, 400, "invalid_value", "tool_choice"},
      {{{"tools", {tool("a")}}, {"tool_choice", "always"}}, 400, "invalid_value", "tool_choice"},
      {{{"tools", {{{"type", "web_search"}}}}}, 400, "invalid_value", "tools[0].type"},
      {{{"tools", {tool("a")}}, {"tool_choice", {{"type", "function"}, {"function", {{"name", "b"}}}}}},
       400,
       "invalid_value",
       "tool_choice.function.name"},
      {{{"tools", {tool("a")}}, {"tool_choice", "required"}, {"regex", "x"}}, 400, "invalid_value", "tool_choice"},
      {{{"tools", Json(std::vector<Json>(129, tool("a")))}}, 422, "limit_exceeded", "tools"},
      {{{"tools", {tool(std::string(70000, 'a'))}}}, 413, "limit_exceeded", "tools"},
      {{{"messages", Json(std::vector<Json>(2049, user("x")))}}, 422, "limit_exceeded", "messages"},
  };
  for (const auto& [fields, status, code, param] : cases) {
    SCOPED_TRACE(fields.dump().substr(0, 100));
    expect_refused(kRoute, greedy(fields), status, code, param);
  }
}

}  // namespace
}  // namespace xlstm::server::api
