// The requests that run or wait, for whoever wants to watch them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace xlstm::server::api {

/// Counters are written on the engine's thread and read from any.
struct ActiveRequest {
  std::string request_id, path;
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  std::atomic<std::size_t> prompt_done = 0, prompt_total = 0, generated = 0;
};

/// Thread safety: every method from any thread.
class ActiveRequests {
 public:
  /// Listed until the last owner lets it go.
  std::shared_ptr<ActiveRequest> add(std::string request_id, std::string path);
  std::vector<std::shared_ptr<const ActiveRequest>> list() const;

 private:
  mutable std::mutex mutex_;
  std::list<std::weak_ptr<ActiveRequest>> requests_;
};

}  // namespace xlstm::server::api
