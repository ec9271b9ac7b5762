#include "apps/server/http/connection.h"

#include <boost/asio/buffer.hpp>
#include <utility>

#include "apps/server/http/error_response.h"
#include "apps/server/http/trace.h"
#include "xlstm/base/log.h"

namespace xlstm::server {
namespace asio = boost::asio;
using boost::system::error_code;

Connection::Connection(std::shared_ptr<Site> site, Socket socket, Peer peer, std::shared_ptr<asio::ssl::context> tls)
    : site_(std::move(site)),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      context_(std::move(tls)),
      timer_(socket_.get_executor()),
      parser_(site_->limits.max_header_bytes, site_->limits.max_body_bytes) {
  if (context_) tls_.emplace(socket_, *context_);
}

void Connection::start() {
  if (!tls_) return begin_reading();
  phase_ = Phase::handshake;
  arm(site_->limits.header_time);
  tls_->async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](const error_code& error) {
    if (self->phase_ == Phase::closed) return;
    if (error) return self->close();
    self->phase_ = Phase::head;
    self->begin_reading();
  });
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  phase_ = Phase::closed;
  if (answer_) {
    answer_->connection = nullptr;
    answer_->lose();
    log_answer();
    answer_.reset();
  }
  error_code ignored;
  timer_.cancel(ignored);
  socket_.close(ignored);
  site_->on_closed(*this);
}

void Connection::drain() {
  if (phase_ == Phase::handshake || (phase_ == Phase::head && !head_begun_)) close();
}

void Connection::answer_ready() {
  if (answer_->overflowed()) {
    close();
  } else {
    flush();
  }
}

void Connection::begin_reading() {
  arm(site_->limits.idle_time);
  read_some();
}

void Connection::read_some() {
  auto done = [self = shared_from_this()](const error_code& error, std::size_t bytes) { self->received(error, bytes); };
  if (tls_) {
    tls_->async_read_some(asio::buffer(chunk_), std::move(done));
  } else {
    socket_.async_read_some(asio::buffer(chunk_), std::move(done));
  }
}

void Connection::received(const error_code& error, std::size_t bytes) try {
  if (phase_ == Phase::closed) return;
  if (error) return close();
  if (phase_ == Phase::lingering) {
    discarded_ += bytes;
    if (discarded_ > kMaxDiscarded) return close();
  } else {
    inbox_.append(chunk_.data(), bytes);
    advance();
  }
  read_on();
} catch (const std::exception& fault) {
  log(LogLevel::warning, std::string("[http] a connection failed: ") + fault.what());
  close();
}

void Connection::read_on() {
  if (phase_ == Phase::closed) return;
  paused_ = phase_ == Phase::answering && inbox_.size() >= kMaxAhead;
  if (!paused_) read_some();
}

/// Reads what the inbox has, up to a request whose answer is to be waited for.
void Connection::advance() {
  try {
    while ((phase_ == Phase::head && read_head()) || (phase_ == Phase::body && read_body())) {
    }
  } catch (const Refusal& refusal) {
    refuse(refusal.status, refusal.message);
  }
  if (inbox_.empty()) inbox_ = {};  // an idle connection keeps no memory
}

bool Connection::read_head() {
  if (!inbox_.empty() && !std::exchange(head_begun_, true)) {
    asked_at_ = Clock::now();
    arm(site_->limits.header_time);
  }
  std::optional<RequestHead> head = parser_.take_head(inbox_);
  if (!head) return false;
  head_ = std::move(*head);
  keep_alive_ = head_.keep_alive && !head_.http10 && !site_->draining;
  Verdict verdict = judge(head_, site_->gate, *site_->keys(), *site_->router, peer_.is_unix);
  route_ = verdict.route;
  if (verdict.answer) {
    if (head_.has_body) keep_alive_ = false;  // nobody reads it
    answer_now(*verdict.answer, std::move(verdict.headers));
    return false;
  }
  headers_ = std::move(verdict.headers);
  phase_ = Phase::body;
  arm(site_->limits.body_time);
  if (head_.expects_continue && head_.has_body && inbox_.empty()) send_continue();
  return true;
}

bool Connection::read_body() {
  if (parser_.take_body(inbox_)) dispatch();
  return false;
}

void Connection::dispatch() {
  if (site_->hub->num_requests >= site_->limits.max_requests) {
    return answer_now(error_response(503, "too many requests at once; try again", "overloaded"), std::move(headers_));
  }
  HttpRequest request = head_.request;
  request.body = parser_.body();
  answer_ = new_answer(std::move(headers_));
  site_->hub->workers.run([&handler = route_->handler, answer = answer_, request = std::move(request)]() mutable {
    run_handler(handler, answer, std::move(request));
  });
}

std::shared_ptr<Answer> Connection::new_answer(Headers headers) {
  Framing framing{head_.http10, keep_alive_, head_.request.method == "HEAD", head_.request.request_id,
                  std::move(headers)};
  auto answer = std::make_shared<Answer>(site_->hub, std::move(framing));
  answer->connection = this;
  phase_ = Phase::answering;
  ended_ = broken_ = false;
  disarm();
  return answer;
}

/// For a request that cannot be read: whatever follows on this connection cannot either.
void Connection::refuse(int status, const std::string& message) {
  if (phase_ == Phase::head) {
    head_ = {};
    head_.request.request_id = request_id(std::nullopt);
    headers_ = {};
  }
  keep_alive_ = false;
  answer_now(error_response(status, message), std::move(headers_));
}

void Connection::answer_now(const HttpResponse& response, Headers headers) {
  answer_ = new_answer(std::move(headers));
  answer_->respond(response);
}

void Connection::send_continue() {
  continuing_ = true;
  outgoing_ = "HTTP/1.1 100 Continue\r\n\r\n";
  write_some();
}

void Connection::flush() {
  if (sending_ || !answer_) return;
  Answer::Parcel parcel = answer_->take();
  ended_ = parcel.ended;
  broken_ = parcel.broken;
  outgoing_ = std::move(parcel.bytes);
  if (!outgoing_.empty()) {
    arm(site_->limits.write_time);
    write_some();
  } else if (ended_) {
    finish_answer();
  }
}

void Connection::write_some() {
  sending_ = true;
  const auto rest = asio::buffer(outgoing_) + taken_;
  auto done = [self = shared_from_this()](const error_code& error, std::size_t bytes) { self->written(error, bytes); };
  if (tls_) {
    tls_->async_write_some(rest, std::move(done));
  } else {
    socket_.async_write_some(rest, std::move(done));
  }
}

void Connection::written(const error_code& error, std::size_t bytes) {
  if (phase_ == Phase::closed) return;
  if (error) return close();
  if (!continuing_) answer_->sent(bytes);
  taken_ += bytes;
  if (taken_ < outgoing_.size()) {
    if (!continuing_) arm(site_->limits.write_time);
    return write_some();
  }
  taken_ = 0;
  sending_ = false;
  if (!std::exchange(continuing_, false)) disarm();
  if (ended_) {
    finish_answer();
  } else {
    flush();
  }
}

void Connection::log_answer() const {
  if (!site_->log_requests) return;
  log_access(head_.request, *answer_, std::chrono::duration<double, std::milli>(Clock::now() - asked_at_).count());
}

void Connection::finish_answer() {
  log_answer();
  answer_->connection = nullptr;
  answer_.reset();
  outgoing_ = {};
  if (broken_) return close();
  if (!keep_alive_ || site_->draining) return shut_down();
  parser_ = RequestParser(site_->limits.max_header_bytes, site_->limits.max_body_bytes);
  head_ = {};
  head_begun_ = ended_ = false;
  phase_ = Phase::head;
  arm(site_->limits.idle_time);
  advance();
  if (paused_) read_on();
}

/// Closing at once would take the answer from a client that still sends: first it hears that nothing follows.
void Connection::shut_down() {
  phase_ = Phase::lingering;
  inbox_ = {};
  arm(site_->limits.linger_time);
  if (paused_) read_on();
  auto finish = [self = shared_from_this()](const error_code& = {}) {
    error_code ignored;
    if (self->phase_ == Phase::lingering) self->socket_.shutdown(Socket::shutdown_send, ignored);
  };
  if (tls_) {
    tls_->async_shutdown(std::move(finish));
  } else {
    finish();
  }
}

/// Deadlines mostly move on before they come: the timer is left as it is and looks again when it fires.
void Connection::arm(std::chrono::milliseconds time) {
  deadline_ = Clock::now() + time;
  if (deadline_ < timer_at_) wait_for_deadline();
}

void Connection::wait_for_deadline() {
  timer_at_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error || self->phase_ == Phase::closed) return;
    self->timer_at_ = Clock::time_point::max();
    if (Clock::now() >= self->deadline_) {
      self->on_deadline();
    } else if (self->deadline_ != Clock::time_point::max()) {
      self->wait_for_deadline();
    }
  });
}

void Connection::on_deadline() {
  disarm();
  if (phase_ == Phase::head && head_begun_) {
    refuse(408, "the head of the request took too long");
  } else if (phase_ == Phase::body) {
    refuse(408, "the body of the request took too long");
  } else {
    close();
  }
}

}  // namespace xlstm::server
