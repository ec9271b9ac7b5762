// An exchange without a connection: keeps what is answered, and lets a test wait for the end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "apps/server/http/exchange.h"

namespace xlstm::server::api {

class FakeExchange final : public Exchange {
 public:
  explicit FakeExchange(HttpRequest request) : request_(std::move(request)) {}

  const HttpRequest& request() const noexcept override { return request_; }
  void respond(HttpResponse response) override {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    response_ = std::move(response);
    ended_ = true;
    changed_.notify_all();
  }
  void begin(HttpResponse head) override {
    std::lock_guard lock(mutex_);
    response_ = std::move(head);
    begun_ = true;
  }
  void write(std::string part) override {
    std::lock_guard lock(mutex_);
    if (ended_) return;
    if (!begun_) throw std::logic_error("write() before begin()");
    response_.body += part;
    changed_.notify_all();
  }
  void end() override {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  std::size_t pending_bytes() const noexcept override { return pending; }
  void on_gone(std::function<void()> callback) override {
    std::lock_guard lock(mutex_);
    gone_ = std::move(callback);
  }

  /// The client closes the connection.
  void leave() {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      callback = std::exchange(gone_, nullptr);
    }
    if (callback) callback();
  }
  /// The whole answer, once it has ended.
  HttpResponse wait() {
    return wait_until([this] { return ended_; });
  }
  /// The answer so far, once `part` is in it.
  HttpResponse wait_for(const std::string& part) {
    return wait_until([&] { return response_.body.find(part) != std::string::npos; });
  }
  bool streamed() {
    std::lock_guard lock(mutex_);
    return begun_;
  }

  std::atomic<std::size_t> pending = 0;

 private:
  template <class Condition>
  HttpResponse wait_until(Condition condition) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), condition)) throw std::runtime_error("no answer came");
    return response_;
  }

  HttpRequest request_;
  HttpResponse response_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false, ended_ = false;
  std::function<void()> gone_;
};

/// The payloads of "data:" lines, in order, without "[DONE]".
inline std::vector<nlohmann::ordered_json> events(const std::string& body) {
  std::vector<nlohmann::ordered_json> found;
  for (std::size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
    at += 6;
    const std::string line = body.substr(at, body.find('\n', at) - at);
    if (line != "[DONE]") found.push_back(nlohmann::ordered_json::parse(line));
  }
  return found;
}

}  // namespace xlstm::server::api
