#include "apps/server/api/status_routes.h"

#include <algorithm>

#include "tests/unit/server/api/api_fixture.h"

namespace xlstm::server::api {
namespace {

using Json = nlohmann::ordered_json;
using testing::ContainsRegex;
using testing::HasSubstr;

class Status : public ApiTest {};

TEST_F(Status, OneModelIsServed) {
  const Json list = Json::parse(server_->send("GET /v1/models", "").body);
  ASSERT_EQ(list["data"].size(), 1u);
  EXPECT_EQ(list["data"][0]["id"], "bard");
  EXPECT_EQ(Json::parse(server_->send("GET /v1/models/{id}", "", "bard").body), list["data"][0]);
  EXPECT_EQ(server_->send("GET /v1/models/{id}", "", "other").status, 404);
}

TEST_F(Status, PropsTellLimits) {
  const Json props = Json::parse(server_->send("GET /props", "").body);
  EXPECT_EQ(props["limits"]["stop_strings"], Limits().stop_strings);
  EXPECT_EQ(props["chat_template"], true);
  EXPECT_EQ(props["vocab_size"], 4096);
}

TEST_F(Status, MetricsAreInThePrometheusFormat) {
  ask("POST /v1/completions", {{"prompt", "x"}, {"max_tokens", 1}});
  ask("POST /v1/completions", {{"prompt", 7}}, 400);
  // The engine counts after its step, which the answer does not wait for.
  server_->service().call([](engine::Engine&, scheduler::Scheduler&) { return 0; }).get();
  const HttpResponse response = server_->send("GET /metrics", "");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  for (const char* line :
       {"# TYPE xlstm_requests_completed_total counter\nxlstm_requests_completed_total [1-9]",
        "# TYPE xlstm_state_bytes gauge", "xlstm_time_to_first_token_seconds_bucket.le=\"[+]Inf\". [1-9]",
        "xlstm_http_requests_total.route=\"/v1/completions\",status=\"200\". 1",
        "xlstm_http_requests_total.route=\"/v1/completions\",status=\"400\". 1",
        "xlstm_http_request_seconds_count.route=\"/v1/completions\". 2"}) {
    EXPECT_THAT(response.body, ContainsRegex(line));
  }
  // Buckets only grow, and the last one counts all.
  std::size_t last = 0;
  for (std::size_t at = 0; (at = response.body.find("xlstm_request_seconds_bucket", at)) != std::string::npos; ++at) {
    const std::size_t value = std::stoul(response.body.substr(response.body.find("} ", at) + 2));
    EXPECT_GE(value, last);
    last = value;
  }
  EXPECT_THAT(response.body, HasSubstr("xlstm_request_seconds_count " + std::to_string(last)));
}

TEST_F(Status, EveryFamilyIsThereOnce) {
  const std::string body = server_->send("GET /metrics", "").body;
  std::vector<std::string> types;
  for (std::size_t at = 0; (at = body.find("# TYPE ", at)) != std::string::npos; ++at) {
    types.push_back(body.substr(at, body.find('\n', at) - at));
  }
  EXPECT_GT(types.size(), 30u);
  std::sort(types.begin(), types.end());
  EXPECT_EQ(std::unique(types.begin(), types.end()), types.end());
}

TEST(Health, TellsWhatIsWrong) {
  ApiOptions options;
  std::optional<std::string> problem;
  options.unhealthy = [&] { return problem; };
  options.unready = [] { return std::optional<std::string>("draining"); };
  TestServer server(options);
  EXPECT_EQ(server.send("GET /health", "").status, 200);
  problem = "no step for 30 s";
  EXPECT_EQ(server.send("GET /health", "").status, 503);
  EXPECT_THAT(server.send("GET /ready", "").body, HasSubstr("draining"));
}

TEST(Slots, TellWhatRunsWithoutItsText) {
  TestServer server;
  EXPECT_EQ(server.send("GET /slots", "").body, "[]");
  const auto exchange = server.begin("POST /v1/completions", R"({"model": "bard", "prompt": "Secret", "stream": true,
                                     "max_tokens": 60000, "ignore_eos": true})");
  exchange->wait_for("data: ");
  const std::string body = server.send("GET /slots", "").body;
  EXPECT_THAT(body, testing::Not(HasSubstr("Secret")));
  const Json slot = Json::parse(body).at(0);
  EXPECT_EQ(slot["id"], "request-1");
  EXPECT_GT(slot["generated_tokens"], 0);
  exchange->leave();
  exchange->wait();
}

}  // namespace
}  // namespace xlstm::server::api
