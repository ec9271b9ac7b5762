// The API on the embedded model, without a transport.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "apps/server/api/api.h"
#include "apps/server/api/context.h"
#include "tests/unit/server/api/fake_exchange.h"

namespace xlstm::server::api {

inline constexpr const char* kTemplate =
    "{% if tools %}TOOLS {{ tools | tojson }}\n{% endif %}"
    "{% for m in messages %}{{ m.role | upper }}.\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT.\n{% endif %}";

/// A service and the routes over it.
class TestServer {
 public:
  explicit TestServer(ApiOptions options = {}, engine::ServiceOptions service = {}) {
    if (service.scheduler.max_state_bytes == 0) service.scheduler.max_state_bytes = std::size_t{256} << 20;
    service_ = engine::Service::start(
        [] {
          engine::LoadOptions load;
          load.chat_template = kTemplate;
          load.num_threads = 1;
          return engine::Engine::load(load);
        },
        service);
    options.model = "bard";
    context_ = add_routes([this](const std::string& method, const std::string& path,
                                 Handler handler) { routes_[method + " " + path] = std::move(handler); },
                          *service_, std::move(options));
  }

  /// Begins a request: `route` is "POST /v1/states/{id}/fork", `id` what stands there.
  std::shared_ptr<FakeExchange> begin(const std::string& route, const std::string& body, const std::string& id = "") {
    HttpRequest request;
    request.method = route.substr(0, route.find(' '));
    request.path = route.substr(route.find(' ') + 1);
    request.body = body;
    request.request_id = "request-1";
    if (!id.empty()) request.parameters["id"] = id;
    auto exchange = std::make_shared<FakeExchange>(std::move(request));
    routes_.at(route)(exchange);
    return exchange;
  }
  HttpResponse send(const std::string& route, const std::string& body, const std::string& id = "") {
    return begin(route, body, id)->wait();
  }
  engine::Service& service() { return *service_; }
  Context& context() { return *context_; }

 private:
  std::shared_ptr<Context> context_;  // outlives the service's last request
  std::unique_ptr<engine::Service> service_;
  std::map<std::string, Handler> routes_;
};

/// One server for all tests of a suite.
class ApiTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new TestServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  /// The answer to a request of the fields and "model": "bard"; it must have this status.
  static nlohmann::ordered_json ask(const std::string& route, nlohmann::ordered_json fields, int status = 200) {
    fields["model"] = "bard";
    const HttpResponse response = server_->send(route, fields.dump());
    EXPECT_EQ(response.status, status) << response.body;
    return nlohmann::ordered_json::parse(response.body);
  }
  static std::string stream(const std::string& route, nlohmann::ordered_json fields) {
    fields["model"] = "bard";
    fields["stream"] = true;
    const HttpResponse response = server_->send(route, fields.dump());
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "text/event-stream") << response.body;
    return response.body;
  }
  /// The request must be refused with this status, code and parameter.
  static void expect_refused(const std::string& route, const nlohmann::ordered_json& fields, int status,
                             const std::string& code, const std::string& param) {
    const nlohmann::ordered_json error = ask(route, fields, status)["error"];
    EXPECT_EQ(error["code"], code) << error;
    if (param.empty()) {
      EXPECT_TRUE(error["param"].is_null()) << error;
    } else {
      EXPECT_EQ(error["param"], param) << error;
    }
  }
  /// What the engine alone says, greedily.
  static generation::Result alone(const std::string& prompt, std::int64_t max_tokens) {
    engine::Submission submission;
    submission.request.prompt = server_->service().engine().encode(prompt, true);
    submission.request.max_tokens = max_tokens;
    submission.request.sampling.temperature = 0;
    submission.request.stop_ids = server_->service().engine().stop_ids();
    return server_->service().run(std::move(submission)).get().samples.at(0).result;
  }

  static inline TestServer* server_ = nullptr;
};

}  // namespace xlstm::server::api
