#include "xlstm/engine/request_meter.h"

#include <chrono>

#include "xlstm/base/error.h"

namespace xlstm::engine {

using Clock = std::chrono::steady_clock;
using generation::FinishReason;

/// One that runs. Its destructor counts how it ended.
class RequestMeter::Request {
 public:
  explicit Request(RequestMeter& meter) : meter_(meter) {
    change([](scheduler::Stats& stats) {
      ++stats.submitted;
      stats.running = 1;
      stats.queue_seconds.observe(0);
    });
  }
  ~Request() {
    change([this](scheduler::Stats& stats) {
      stats.running = stats.rows = 0;
      ++(stats.*end_);
      stats.request_seconds.observe(seconds_since(start_));
    });
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  void prefilled(std::size_t done) {
    change([&](scheduler::Stats& stats) {
      ++stats.steps;
      stats.prefill_tokens += done - read_;
    });
    read_ = done;
  }
  void drew() {
    change([this](scheduler::Stats& stats) {
      ++stats.generated_tokens;
      if (drawn_) {
        ++stats.steps;
        ++stats.decode_tokens;
        stats.rows = 1;
      }
      (drawn_ ? stats.inter_token_seconds : stats.first_token_seconds).observe(seconds_since(last_));
    });
    drawn_ = true;
    last_ = Clock::now();
  }
  void ended(FinishReason reason) {
    end_ = reason == FinishReason::cancelled ? &scheduler::Stats::cancelled : &scheduler::Stats::completed;
  }

 private:
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(meter_.mutex_);
    change(meter_.stats_);
  }

  RequestMeter& meter_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
  std::size_t read_ = 0;  // of the prompt
  bool drawn_ = false;
  std::size_t scheduler::Stats::*end_ = &scheduler::Stats::failed;
};

generation::Result RequestMeter::measure(const generation::Callbacks& callbacks, const Run& run) {
  Request request(*this);
  generation::Callbacks counting = callbacks;
  counting.on_prefill = [&](std::size_t done, std::size_t total) {
    request.prefilled(done);
    if (callbacks.on_prefill) callbacks.on_prefill(done, total);
  };
  counting.on_token = [&](TokenId id) {
    request.drew();
    if (callbacks.on_token) callbacks.on_token(id);
  };
  try {
    generation::Result result = run(counting);
    request.ended(result.finish_reason);
    return result;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) request.ended(FinishReason::cancelled);
    throw;
  }
}

void RequestMeter::note_states(std::size_t bytes, std::size_t max_bytes) {
  const std::lock_guard lock(mutex_);
  stats_.state_bytes = bytes;
  stats_.max_state_bytes = max_bytes;
}

scheduler::Stats RequestMeter::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace xlstm::engine
