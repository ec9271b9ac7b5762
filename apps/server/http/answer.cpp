#include "apps/server/http/answer.h"

#include <utility>

#include "apps/server/http/error_response.h"
#include "xlstm/base/log.h"

namespace xlstm::server {

void Mailbox::put(std::shared_ptr<Answer> answer) {
  const std::lock_guard lock(mutex_);
  if (!wake_up_) return;
  answers_.push_back(std::move(answer));
  if (answers_.size() == 1) wake_up_();
}

std::vector<std::shared_ptr<Answer>> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void Mailbox::close() {
  std::vector<std::shared_ptr<Answer>> dropped;  // goes after the lock
  const std::lock_guard lock(mutex_);
  wake_up_ = nullptr;
  dropped.swap(answers_);
}

Answer::Answer(std::shared_ptr<Hub> hub, Framing its_framing) : framing(std::move(its_framing)), hub_(std::move(hub)) {
  ++hub_->num_requests;
}

Answer::~Answer() {
  if (stage_ == Stage::fresh || stage_ == Stage::streaming) --hub_->num_requests;
}

void Answer::respond(const HttpResponse& response) {
  std::string text = head_text(response, response.body.size(), framing);
  const bool has_body = !framing.head_only && response.status != 204 && response.status != 304;
  if (has_body) text += response.body;
  put(text, Stage::fresh, After::end, response.status);
}

void Answer::begin(const HttpResponse& head) {
  if (head.status == 204 || head.status == 304) {
    fail(ErrorCode::internal, framing.request_id, "expected a status that has a body but got ", head.status);
  }
  put(head_text(head, std::nullopt, framing), Stage::fresh, After::more, head.status);
}

void Answer::write(std::string_view part) {
  if (framing.head_only || part.empty()) return;
  if (framing.http10) return put(part, Stage::streaming, After::more);
  std::string chunk;
  append_chunk(chunk, part);
  put(chunk, Stage::streaming, After::more);
}

void Answer::end() {
  const bool chunked = !framing.http10 && !framing.head_only;
  put(chunked ? kLastChunk : std::string_view{}, Stage::streaming, After::end);
}

void Answer::fail_with(const HttpResponse& response) {
  Stage stage;
  {
    const std::lock_guard lock(mutex_);
    stage = stage_;
  }
  if (stage == Stage::fresh) {
    respond(response);
  } else if (stage == Stage::streaming) {
    put({}, Stage::streaming, After::broken);
  }
}

void Answer::put(std::string_view bytes, Stage expected, After after, int status) {
  std::function<void()> released;  // what a callback holds goes without the lock
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::ended || stage_ == Stage::lost) return;
    if (stage_ != expected) {
      fail(ErrorCode::internal, framing.request_id, "expected respond(), or begin(), write() and end() in this order");
    }
    if (expected == Stage::streaming && outbox_.size() + in_flight_ > hub_->max_pending_bytes) {
      wake = !std::exchange(overflow_, true);  // even if the io thread waits for the client
    } else {
      outbox_ += bytes;
    }
    if (status != 0) status_ = status;
    stage_ = Stage::streaming;
    if (after != After::more) {
      broken_ = after == After::broken;
      leave(Stage::ended);
      released.swap(gone_);
    }
    wake |= !std::exchange(woken_, true);
  }
  if (wake) hub_->mailbox.put(shared_from_this());
}

/// REQUIRES: the lock is held, and the answer has not ended.
void Answer::leave(Stage stage) {
  stage_ = stage;
  --hub_->num_requests;
}

std::size_t Answer::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return outbox_.size() + in_flight_;
}

void Answer::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::ended) return;
    if (stage_ != Stage::lost) {
      gone_.swap(callback);
      return;
    }
  }
  hub_->workers.run(std::move(callback));
}

Answer::Parcel Answer::take() {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  in_flight_ = outbox_.size();
  return {std::exchange(outbox_, {}), stage_ == Stage::ended, broken_};
}

void Answer::sent(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  in_flight_ -= bytes;
  sent_ += bytes;
}

void Answer::lose() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (stage_ == Stage::ended || stage_ == Stage::lost) return;
    leave(Stage::lost);
    outbox_.clear();
    in_flight_ = 0;
    callback.swap(gone_);
  }
  if (callback) hub_->workers.run(std::move(callback));
}

bool Answer::is_lost() const {
  const std::lock_guard lock(mutex_);
  return stage_ == Stage::lost;
}

bool Answer::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflow_;
}

int Answer::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::size_t Answer::sent_bytes() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

ServerExchange::~ServerExchange() {
  try {
    answer_->fail_with(error_response(500, "the request was given up without an answer"));
  } catch (const std::exception& error) {
    log(LogLevel::warning, "[http] " + request_.request_id + ": " + error.what());
    answer_->lose();
  }
}

}  // namespace xlstm::server
