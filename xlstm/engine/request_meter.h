// What a StatsSocket tells of requests that run one after another, without a scheduler.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>

#include "xlstm/generation/request.h"
#include "xlstm/scheduler/stats.h"

namespace xlstm::engine {

/// Counts what callbacks tell. stats() and note_states() may be called from any thread.
class RequestMeter {
 public:
  using Run = std::function<generation::Result(const generation::Callbacks&)>;

  /// One request: `run` with callbacks that count before they call `callbacks`. Errors: those of `run`, counted as
  /// failed (or cancelled).
  generation::Result measure(const generation::Callbacks& callbacks, const Run& run);
  /// Bytes of all states that are kept, and what they may take.
  void note_states(std::size_t bytes, std::size_t max_bytes);
  scheduler::Stats stats() const;

 private:
  class Request;

  mutable std::mutex mutex_;
  scheduler::Stats stats_;
};

}  // namespace xlstm::engine
