// One client's connection. Internal to the transport: it shows Boost.
#pragma once

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "apps/server/http/request_parser.h"
#include "apps/server/http/site.h"

namespace xlstm::server {

using Socket = boost::asio::generic::stream_protocol::socket;

struct Peer {
  std::string address;  // empty on a Unix socket
  bool is_unix = false;
};

/// Thread safety: the io thread alone; other threads reach it through the mailbox.
/// Invariant: a read is pending whenever the connection is open, so that a client that goes is noticed at once; the
/// exception is one that sends ahead more than kMaxAhead while it waits for an answer.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// `tls` may be null.
  Connection(std::shared_ptr<Site> site, Socket socket, Peer peer, std::shared_ptr<boost::asio::ssl::context> tls);
  void start();
  /// At once; the answer in progress is lost.
  void close();
  /// Closes now if no request is in progress, else after its answer.
  void drain();
  /// The answer in progress has something to send.
  void answer_ready();
  const Peer& peer() const noexcept { return peer_; }

 private:
  enum class Phase { handshake, head, body, answering, lingering, closed };
  using Clock = std::chrono::steady_clock;

  void begin_reading();
  void read_some();
  void received(const boost::system::error_code& error, std::size_t bytes);
  void read_on();
  void advance();
  bool read_head();
  bool read_body();
  void dispatch();
  std::shared_ptr<Answer> new_answer(Headers headers);
  void refuse(int status, const std::string& message);
  void answer_now(const HttpResponse& response, Headers headers = {});
  void send_continue();
  void flush();
  void write_some();
  void written(const boost::system::error_code& error, std::size_t bytes);
  void log_answer() const;
  void finish_answer();
  void shut_down();
  void arm(std::chrono::milliseconds time);
  void disarm() { deadline_ = Clock::time_point::max(); }
  void wait_for_deadline();
  void on_deadline();

  static constexpr std::size_t kMaxAhead = 64 << 10;
  static constexpr std::size_t kMaxDiscarded = 4 << 20;  // of a body that nobody wants, before the connection is reset

  const std::shared_ptr<Site> site_;
  Socket socket_;
  const Peer peer_;
  const std::shared_ptr<boost::asio::ssl::context> context_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  boost::asio::steady_timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max(), timer_at_ = Clock::time_point::max(), asked_at_;
  Phase phase_ = Phase::head;
  RequestParser parser_;
  RequestHead head_;
  const Route* route_ = nullptr;
  bool head_begun_ = false, keep_alive_ = true, ended_ = false, broken_ = false;
  bool paused_ = false;                        // the client is too far ahead: no read is pending
  bool sending_ = false, continuing_ = false;  // continuing_: what is sent is no part of an answer
  std::size_t discarded_ = 0, taken_ = 0;      // taken_: of outgoing_
  std::string inbox_, outgoing_;
  Headers headers_;  // for the answer to the request that is being read
  std::shared_ptr<Answer> answer_;
  std::array<char, 8192> chunk_;
};

}  // namespace xlstm::server
