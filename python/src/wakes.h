// Which tickets have news for an event loop: filled by the engine's thread, which so never waits for Python.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace xlstm::python {

/// Thread-safe.
class Wakes {
 public:
  void push(std::uint64_t key) {
    {
      const std::lock_guard lock(mutex_);
      keys_.push_back(key);
    }
    wake_.notify_one();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    wake_.notify_all();
  }
  /// Waits for keys; none: closed, and all were taken.
  std::optional<std::vector<std::uint64_t>> take() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return closed_ || !keys_.empty(); });
    if (keys_.empty()) return std::nullopt;
    return std::exchange(keys_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::uint64_t> keys_;
  bool closed_ = false;
};

}  // namespace xlstm::python
