// The answer to one request on its way from the handler's threads to the connection.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/server/http/exchange.h"
#include "apps/server/http/response_text.h"
#include "apps/server/http/worker_pool.h"

namespace xlstm::server {

class Answer;
class Connection;

/// Answers with something new to send. However many there are, the io thread is woken once until it has taken them.
/// Thread safety: all methods.
class Mailbox {
 public:
  explicit Mailbox(std::function<void()> wake_up) : wake_up_(std::move(wake_up)) {}
  void put(std::shared_ptr<Answer> answer);
  std::vector<std::shared_ptr<Answer>> take();
  /// What is put in from now on is dropped: the io thread is gone.
  void close();

 private:
  std::mutex mutex_;
  std::function<void()> wake_up_;                 // mutex_; empty when closed
  std::vector<std::shared_ptr<Answer>> answers_;  // mutex_
};

/// What answers share with their server; it may outlive the server.
struct Hub {
  Hub(int num_workers, std::size_t max_pending, std::function<void()> wake_up)
      : max_pending_bytes(max_pending), mailbox(std::move(wake_up)), workers(num_workers) {}

  const std::size_t max_pending_bytes;
  std::atomic<std::size_t> num_requests = 0;  // whose answers have not ended
  Mailbox mailbox;
  WorkerPool workers;
};

/// Thread safety: all methods. A method puts bytes into the outbox; the io thread takes all there is at once.
class Answer : public std::enable_shared_from_this<Answer> {
 public:
  enum class Stage { fresh, streaming, ended, lost };
  /// What there is to send.
  struct Parcel {
    std::string bytes;
    bool ended = false;   // nothing follows
    bool broken = false;  // the stream stopped before its end: the connection must not go on
  };

  Answer(std::shared_ptr<Hub> hub, Framing framing);
  ~Answer();

  // The handler's side; see Exchange.
  void respond(const HttpResponse& response);
  void begin(const HttpResponse& head);
  void write(std::string_view part);
  void end();
  std::size_t pending_bytes() const;
  void on_gone(std::function<void()> callback);
  /// For a handler that failed: `response` if nothing was sent yet, else the stream breaks off.
  void fail_with(const HttpResponse& response);

  // The io thread's side.
  Parcel take();
  void sent(std::size_t bytes);
  /// The client is gone.
  void lose();
  bool is_lost() const;
  /// More was written than a client may leave lying: it does not read.
  bool overflowed() const;

  int status() const;              // 0 before the head
  std::size_t sent_bytes() const;  // all that was sent, the head too
  const Framing framing;
  Connection* connection = nullptr;  // used by the io thread alone; null when the answer is no longer the connection's

 private:
  enum class After { more, end, broken };
  void put(std::string_view bytes, Stage expected, After after, int status = 0);
  void leave(Stage stage);

  const std::shared_ptr<Hub> hub_;
  mutable std::mutex mutex_;  // all below
  Stage stage_ = Stage::fresh;
  std::string outbox_;
  std::size_t in_flight_ = 0, sent_ = 0;
  bool broken_ = false, overflow_ = false, woken_ = false;
  int status_ = 0;
  std::function<void()> gone_;
};

/// The Exchange that a handler gets.
class ServerExchange : public Exchange {
 public:
  ServerExchange(std::shared_ptr<Answer> answer, HttpRequest request)
      : answer_(std::move(answer)), request_(std::move(request)) {}
  ~ServerExchange() override;
  const HttpRequest& request() const noexcept override { return request_; }
  void respond(HttpResponse response) override { answer_->respond(response); }
  void begin(HttpResponse head) override { answer_->begin(head); }
  void write(std::string part) override { answer_->write(part); }
  void end() override { answer_->end(); }
  std::size_t pending_bytes() const noexcept override { return answer_->pending_bytes(); }
  void on_gone(std::function<void()> callback) override { answer_->on_gone(std::move(callback)); }

 private:
  const std::shared_ptr<Answer> answer_;
  const HttpRequest request_;
};

}  // namespace xlstm::server
