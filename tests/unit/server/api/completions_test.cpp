#include "apps/server/api/completions.h"

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;
using testing::EndsWith;
using testing::HasSubstr;

constexpr const char* kRoute = "POST /v1/completions";

class Completions : public ApiTest {
 protected:
  static Json greedy(const Json& more = Json::object()) {
    Json fields{{"prompt", "To be, or not to be"}, {"temperature", 0}, {"max_tokens", 12}};
    fields.update(more);
    return fields;
  }
  static std::string text_of(const std::string& stream, std::size_t index = 0) {
    std::string text;
    for (const Json& event : events(stream)) {
      for (const Json& choice : event["choices"]) {
        if (choice["index"] == index) text += choice["text"].get<std::string>();
      }
    }
    return text;
  }
};

TEST_F(Completions, GiveTheTextOfTheEngine) {
  const generation::Result expected = alone("To be, or not to be", 12);
  const Json answer = ask(kRoute, greedy());
  EXPECT_THAT(answer["id"].get<std::string>(), testing::StartsWith("cmpl-"));
  EXPECT_EQ(answer["object"], "text_completion");
  EXPECT_EQ(answer["model"], "bard");
  EXPECT_THAT(answer["system_fingerprint"].get<std::string>(), testing::StartsWith("fp_"));
  EXPECT_EQ(answer["choices"].size(), 1u);
  EXPECT_EQ(answer["choices"][0]["text"], expected.text);
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(answer["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(answer["usage"]["completion_tokens"], 12);
  EXPECT_EQ(answer["usage"]["total_tokens"].get<int>(), answer["usage"]["prompt_tokens"].get<int>() + 12);
}

TEST_F(Completions, AStreamHasTheSameText) {
  const std::string body = stream(kRoute, greedy({{"stream_options", {{"include_usage", true}}}}));
  EXPECT_EQ(text_of(body), alone("To be, or not to be", 12).text);
  EXPECT_THAT(body, EndsWith("data: [DONE]\n\n"));
  const std::vector<Json> all = events(body);
  EXPECT_EQ(all.back()["usage"]["completion_tokens"], 12);
  EXPECT_TRUE(all.back()["choices"].empty());
  EXPECT_TRUE(all.front()["usage"].is_null());
  EXPECT_EQ(all[all.size() - 2]["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(all.front()["choices"][0]["finish_reason"].is_null());
}

TEST_F(Completions, TakeTextsAndIds) {
  const Json ids = server_->service().engine().encode("To be, or not to be", true);
  const Json one = ask(kRoute, greedy())["choices"][0]["text"];
  EXPECT_EQ(ask(kRoute, greedy({{"prompt", ids}}))["choices"][0]["text"], one);
  const Json several = ask(kRoute, greedy({{"prompt", {"Once", "To be, or not to be"}}, {"n", 2}, {"seed", 1}}));
  ASSERT_EQ(several["choices"].size(), 4u);
  EXPECT_EQ(several["choices"][3]["index"], 3);
  EXPECT_EQ(several["choices"][2]["text"], one);
  EXPECT_EQ(several["choices"][3]["text"], one);
  EXPECT_EQ(ask(kRoute, greedy({{"prompt", Json::array({ids, ids})}}))["choices"][1]["text"], one);
  const std::string streamed = stream(kRoute, greedy({{"prompt", {"Once", "To be, or not to be"}}}));
  EXPECT_EQ(text_of(streamed, 1), one);
  EXPECT_EQ(text_of(streamed, 0), alone("Once", 12).text);
}

TEST_F(Completions, LogProbsHaveTheFormOfCompletions) {
  const Json choice = ask(kRoute, greedy({{"logprobs", 2}, {"echo", true}, {"max_tokens", 3}}))["choices"][0];
  const Json& found = choice["logprobs"];
  const std::size_t count = found["tokens"].size();
  EXPECT_EQ(found["token_logprobs"].size(), count);
  EXPECT_EQ(found["top_logprobs"].size(), count);
  EXPECT_EQ(found["text_offset"].size(), count);
  std::string joined;
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(found["text_offset"][i], joined.size());
    joined += found["tokens"][i].get<std::string>();
    EXPECT_EQ(found["top_logprobs"][i].size(), 2u);
    EXPECT_LE(found["token_logprobs"][i].get<double>(), 0);
  }
  EXPECT_EQ(choice["text"], joined);
  EXPECT_THAT(joined, testing::StartsWith("To be, or not to be"));
}

TEST_F(Completions, ScoreAPromptWithoutAText) {
  const Json choice = ask(kRoute, greedy({{"logprobs", 0}, {"echo", true}, {"max_tokens", 0}}))["choices"][0];
  EXPECT_EQ(choice["text"], "To be, or not to be");
  EXPECT_GT(choice["logprobs"]["tokens"].size(), 3u);
  EXPECT_EQ(text_of(stream(kRoute, greedy({{"echo", true}, {"max_tokens", 0}}))), "To be, or not to be");
}

TEST_F(Completions, StopStringsEndATextAndAreNotInIt) {
  const std::string whole = alone("To be, or not to be", 12).text;
  const std::string stop = whole.substr(whole.size() / 2, 3);
  const Json choice = ask(kRoute, greedy({{"stop", stop}}))["choices"][0];
  EXPECT_EQ(choice["text"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(text_of(stream(kRoute, greedy({{"stop", {"never", stop}}}))), choice["text"]);
}

TEST_F(Completions, SamplingIsThatOfTheSeed) {
  const Json fields{{"prompt", "Once"}, {"seed", 7}, {"max_tokens", 10}, {"n", 2}};
  const Json a = ask(kRoute, fields)["choices"], b = ask(kRoute, fields)["choices"];
  EXPECT_EQ(a, b);
  EXPECT_NE(a[0]["text"], a[1]["text"]);
  Json other = fields;
  other["seed"] = 70;
  EXPECT_NE(ask(kRoute, other)["choices"], a);
  other["best_of"] = 4;
  EXPECT_EQ(ask(kRoute, other)["choices"].size(), 2u);
}

TEST_F(Completions, FieldsChangeWhatTheySay) {
  const generation::Result plain = alone("To be, or not to be", 12);
  const std::string banned = std::to_string(plain.ids.front());
  EXPECT_NE(ask(kRoute, greedy({{"logit_bias", {{banned, -100}}}}))["choices"][0]["text"], plain.text);
  EXPECT_EQ(ask(kRoute, greedy({{"regex", "(aye|nay)"}}))["choices"][0]["finish_reason"], "stop");
  EXPECT_THAT(ask(kRoute, greedy({{"grammar", "root ::= \"aye\" | \"nay\""}}))["choices"][0]["text"],
              testing::AnyOf("aye", "nay"));
  const Json schema{
      {"type", "json_schema"},
      {"json_schema", {{"name", "n"}, {"schema", {{"type", "integer"}, {"maximum", 7}, {"minimum", 7}}}}}};
  EXPECT_EQ(ask(kRoute, greedy({{"response_format", schema}}))["choices"][0]["text"], "7");
  EXPECT_EQ(ask(kRoute, greedy({{"repetition_penalty", nullptr}, {"user", "u"}}))["choices"][0]["text"], plain.text);
}

TEST_F(Completions, AStreamTellsHowFarALongPromptIs) {
  const std::string prompt(3000, 'y');
  const std::size_t tokens = server_->service().engine().encode(prompt, true).size();
  const std::string body = stream(kRoute, greedy({{"prompt", prompt}, {"max_tokens", 1}}));
  EXPECT_THAT(body, testing::ContainsRegex(": prefill [0-9]+/" + std::to_string(tokens) + "\n"));
  EXPECT_LT(body.find(": prefill"), body.find("data:"));
}

TEST_F(Completions, TheSecondTimeThePromptIsCached) {
  const Json fields = greedy({{"prompt", std::string(2000, 'x')}, {"max_tokens", 1}});
  ask(kRoute, fields);
  const Json usage = ask(kRoute, fields)["usage"];
  EXPECT_EQ(usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]);
}

TEST_F(Completions, RefuseByName) {
  const std::vector<std::tuple<Json, int, std::string, std::string>> cases = {
      {{{"temprature", 1}}, 400, "unknown_parameter", "temprature"},
      {{{"suffix", "x"}}, 400, "unsupported_parameter", "suffix"},
      {{{"temperature", "hot"}}, 400, "invalid_value", "temperature"},
      {{{"temperature", 2.5}}, 400, "invalid_value", "temperature"},
      {{{"top_p", 0}}, 400, "invalid_value", "top_p"},
      {{{"top_k", -2}}, 400, "invalid_value", "top_k"},
      {{{"min_p", 1.5}}, 400, "invalid_value", "min_p"},
      {{{"presence_penalty", 3}}, 400, "invalid_value", "presence_penalty"},
      {{{"n", 0}}, 400, "invalid_value", "n"},
      {{{"n", 17}}, 422, "limit_exceeded", "n"},
      {{{"n", 3}, {"best_of", 2}}, 400, "invalid_value", "best_of"},
      {{{"best_of", 2}, {"stream", true}}, 400, "invalid_value", "best_of"},
      {{{"logprobs", 21}}, 400, "invalid_value", "logprobs"},
      {{{"max_tokens", -1}}, 400, "invalid_value", "max_tokens"},
      {{{"max_tokens", 1 << 20}}, 422, "limit_exceeded", "max_tokens"},
      {{{"min_tokens", 13}}, 400, "invalid_value", "min_tokens"},
      {{{"stop", ""}}, 400, "invalid_value", "stop"},
      {{{"stop", Json(std::vector<std::string>(17, "x"))}}, 422, "limit_exceeded", "stop"},
      {{{"stop", std::string(2000, 'x')}}, 422, "limit_exceeded", "stop"},
      {{{"logit_bias", {{"x", 1}}}}, 400, "invalid_value", "logit_bias"},
      {{{"logit_bias", {{"4096", 1}}}}, 400, "invalid_value", "logit_bias"},
      {{{"logit_bias", {{"5", 101}}}}, 400, "invalid_value", "logit_bias.5"},
      {{{"prompt", nullptr}}, 400, "missing_parameter", "prompt"},
      {{{"prompt", Json::array()}}, 400, "invalid_value", "prompt"},
      {{{"prompt", {1, -1}}}, 400, "invalid_value", "prompt"},
      {{{"prompt", {1, 4096}}}, 400, "invalid_value", "prompt"},
      {{{"prompt", {"a", 1.5}}}, 400, "invalid_value", "prompt[1]"},
      {{{"prompt", Json(std::vector<std::string>(65, "x"))}}, 422, "limit_exceeded", "prompt"},
      {{{"stream_options", {{"include_usage", true}}}}, 400, "invalid_value", "stream_options"},
      {{{"response_format", {{"type", "yaml"}}}}, 400, "invalid_value", "response_format.type"},
      {{{"regex", "("}}, 400, "invalid_constraint", "regex"},
      {{{"regex", "a"}, {"grammar", "root ::= \"a\""}}, 400, "invalid_value", "regex"},
      {{{"regex", std::string(70000, 'a')}}, 413, "limit_exceeded", "regex"},
      {{{"state", "state-x"}}, 404, "state_not_found", "state"},
  };
  for (const auto& [fields, status, code, param] : cases) {
    SCOPED_TRACE(fields.dump().substr(0, 100));
    expect_refused(kRoute, greedy(fields), status, code, param);
  }
}

TEST_F(Completions, ThousandsOfBiasesAreTooMany) {
  Json biases = Json::object();
  for (int id = 0; id <= 1024; ++id) biases[std::to_string(id)] = 1;
  expect_refused(kRoute, greedy({{"logit_bias", biases}}), 422, "limit_exceeded", "logit_bias");
}

TEST_F(Completions, AnotherModelIsNotFound) {
  EXPECT_EQ(server_->send(kRoute, R"({"model": "gpt-4", "prompt": "x"})").status, 404);
  EXPECT_EQ(server_->send(kRoute, R"({"prompt": "x"})").status, 400);
  EXPECT_EQ(server_->send(kRoute, "{").status, 400);
}

TEST_F(Completions, AStateGoesOnWhereItsTextEnded) {
  const std::string whole = alone("To be, or not to be", 12).text;
  const Json first = ask(kRoute, greedy({{"max_tokens", 5}, {"return_state", true}}));
  const std::string id = first["choices"][0]["state_id"];
  const Json rest = ask(kRoute, {{"state", id}, {"temperature", 0}, {"max_tokens", 7}});
  EXPECT_EQ(first["choices"][0]["text"].get<std::string>() + rest["choices"][0]["text"].get<std::string>(), whole);
  EXPECT_EQ(rest["usage"]["prompt_tokens"], 1) << "the id that was drawn but not read";
  const std::string body =
      stream(kRoute, {{"state", id}, {"temperature", 0}, {"max_tokens", 7}, {"return_state", true}});
  EXPECT_EQ(text_of(body), rest["choices"][0]["text"]);
  EXPECT_THAT(body, HasSubstr("\"state_id\":\"state-"));
}

TEST_F(Completions, AStateWithMoreTextReadsOnlyThat) {
  const Json read = ask(kRoute, greedy({{"prompt", "To be"}, {"max_tokens", 0}, {"return_state", true}}));
  const Json answer = ask(kRoute, greedy({{"prompt", ", or not to be"}, {"state", read["choices"][0]["state_id"]}}));
  EXPECT_EQ(answer["choices"][0]["text"], alone("To be, or not to be", 12).text);
}

TEST(CompletionFaults, AClientThatLeavesIsCancelled) {
  TestServer server;
  const auto exchange = server.begin(
      kRoute, R"({"model": "bard", "prompt": "Once", "max_tokens": 60000, "ignore_eos": true, "stream": true})");
  exchange->wait_for("data: ");
  EXPECT_EQ(server.context().active.list().size(), 1u);
  exchange->leave();
  exchange->wait();
  EXPECT_EQ(server.service().call([](engine::Engine&, scheduler::Scheduler& s) { return s.stats().cancelled; }).get(),
            1u);
}

TEST(CompletionFaults, AStreamThatNobodyTakesIsCancelled) {
  TestServer server;
  const auto exchange = server.begin(
      kRoute, R"({"model": "bard", "prompt": "Once", "max_tokens": 60000, "ignore_eos": true, "stream": true})");
  exchange->pending = std::size_t{2} << 20;
  EXPECT_THAT(exchange->wait().body, testing::Not(HasSubstr("[DONE]")));
}

TEST(CompletionFaults, AFullQueueIs429AndTellsWhenToComeBack) {
  TestServer server({}, {.scheduler = {.max_waiting = 0}});
  const HttpResponse refused = server.send(kRoute, R"({"model": "bard", "prompt": "x", "stream": true})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.headers, testing::Contains(testing::Pair("Retry-After", "1")));
}

TEST(CompletionFaults, NoRoomForSoManyStatesIs503) {
  TestServer server({}, {.scheduler = {.max_state_bytes = std::size_t{3} << 20}});
  EXPECT_EQ(server.send(kRoute, R"({"model": "bard", "prompt": "x", "n": 16})").status, 503);
}

TEST(CompletionFaults, AServiceThatEndsTellsItsClients) {
  std::shared_ptr<FakeExchange> exchange;
  {
    TestServer server;
    exchange = server.begin(kRoute, R"({"model": "bard", "prompt": "Once", "max_tokens": 60000, "ignore_eos": true})");
  }
  EXPECT_EQ(exchange->wait().status, 503);
}

}  // namespace
}  // namespace xlstm::server::api
