#include "apps/server/api/sse.h"

#include <utility>

namespace xlstm::server::api {

void EventStream::begin_locked() {
  if (begun_) return;
  begun_ = true;
  HttpResponse head;
  head.content_type = "text/event-stream";
  head.headers = {{"Cache-Control", "no-cache"},
                  {"X-Accel-Buffering", "no"}};  // the second: nginx passes it on at once
  exchange_->begin(std::move(head));
}

void EventStream::write(std::string text) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  begin_locked();
  exchange_->write(std::move(text));
  last_ = std::chrono::steady_clock::now();
}

void EventStream::begin() {
  const std::lock_guard lock(mutex_);
  if (!ended_) begin_locked();
}

void EventStream::data(std::string_view json) {
  std::string text;
  text.reserve(json.size() + 8);
  ((text += "data: ") += json) += "\n\n";
  write(std::move(text));
}

void EventStream::event(std::string_view name, std::string_view json) {
  std::string text;
  text.reserve(name.size() + json.size() + 16);
  ((((text += "event: ") += name) += "\ndata: ") += json) += "\n\n";
  write(std::move(text));
}

void EventStream::comment(std::string_view words) { write(": " + std::string(words) + "\n\n"); }

void EventStream::end() {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  begin_locked();
  ended_ = true;
  exchange_->end();
}

bool EventStream::keep_alive(std::chrono::steady_clock::time_point before) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  if (last_ > before || !begun_) return true;
  exchange_->write(": keep-alive\n\n");
  last_ = std::chrono::steady_clock::now();
  return true;
}

KeepAlive::KeepAlive(std::chrono::milliseconds interval) : interval_(interval), thread_([this] { loop(); }) {}

KeepAlive::~KeepAlive() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void KeepAlive::add(const std::shared_ptr<EventStream>& stream) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(stream);
}

void KeepAlive::loop() {
  std::unique_lock lock(mutex_);
  // Twice an interval, so that none is quiet for much longer than one.
  while (!wake_.wait_for(lock, interval_ / 2, [this] { return stop_; })) {
    std::vector<std::weak_ptr<EventStream>> streams = std::exchange(streams_, {});
    lock.unlock();
    const auto before = std::chrono::steady_clock::now() - interval_;
    std::erase_if(streams, [&](const std::weak_ptr<EventStream>& weak) {
      const std::shared_ptr<EventStream> stream = weak.lock();
      return stream == nullptr || !stream->keep_alive(before);
    });
    lock.lock();
    streams_.insert(streams_.end(), streams.begin(), streams.end());
  }
}

}  // namespace xlstm::server::api
