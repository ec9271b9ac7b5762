#include "tests/unit/server/http/server_fixture.h"

#include <stdexcept>
#include <thread>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

using namespace std::chrono_literals;

HttpResponse text(std::string body) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

void echo(const std::shared_ptr<Exchange>& exchange) {
  const HttpRequest& request = exchange->request();
  exchange->respond(text(request.method + " " + request.path + " " + request.body));
}

/// ?parts=N parts of ?size=S bytes.
void stream(const std::shared_ptr<Exchange>& exchange) {
  const auto& query = exchange->request().query;
  const int parts = std::stoi(query.at("parts"));
  const std::string part(std::stoul(query.at("size")), 'x');
  exchange->begin(text(""));
  for (int i = 0; i < parts; ++i) exchange->write(part);
  exchange->end();
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

ServerTest::ServerTest() {
  options_.port = 0;
  router_.add("GET /open", echo, Guard::open);
  router_.add("GET /echo/{name}", echo);
  router_.add("POST /echo", echo);
  router_.add("PUT /echo", echo);
  router_.add("GET /stream", stream);
  router_.add("POST /hold", [this](std::shared_ptr<Exchange> exchange) {
    exchange->on_gone([this] { ++gone_; });
    const std::lock_guard lock(mutex_);
    held_.push_back(std::move(exchange));
    changed_.notify_all();
  });
}

ServerTest::~ServerTest() {
  held_.clear();
  server_.reset();
}

std::vector<std::shared_ptr<Exchange>> ServerTest::held(std::size_t count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, 10s, [&] { return held_.size() >= count; })) throw std::runtime_error("no requests");
  return std::exchange(held_, {});
}

}  // namespace xlstm::server
