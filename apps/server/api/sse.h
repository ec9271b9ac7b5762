// Server-sent events over an exchange, and the thread that keeps quiet ones alive.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "apps/server/http/exchange.h"

namespace xlstm::server::api {

/// The answer begins with the first thing that is sent. Thread safety: every method from any thread.
class EventStream {
 public:
  explicit EventStream(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

  /// Sends the head of the answer, if it is not sent yet.
  void begin();
  /// REQUIRES of all: no line end in `json`, `name` or `text`.
  void data(std::string_view json);
  void event(std::string_view name, std::string_view json);
  /// Clients read over it.
  void comment(std::string_view text);
  void end();

  /// A comment, if nothing was sent since `before`. False: the stream has ended.
  bool keep_alive(std::chrono::steady_clock::time_point before);
  std::size_t pending_bytes() const noexcept { return exchange_->pending_bytes(); }

 private:
  void begin_locked();
  void write(std::string text);

  std::shared_ptr<Exchange> exchange_;
  std::mutex mutex_;
  bool begun_ = false, ended_ = false;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

/// One thread for all streams. Proxies and clients close a connection on which nothing comes.
class KeepAlive {
 public:
  explicit KeepAlive(std::chrono::milliseconds interval);
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

  /// Until it ends, or nobody else has it any more.
  void add(const std::shared_ptr<EventStream>& stream);

 private:
  void loop();

  std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::vector<std::weak_ptr<EventStream>> streams_;
  std::thread thread_;
};

}  // namespace xlstm::server::api
