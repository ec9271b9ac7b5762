// The threads on which handlers run.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace xlstm::server {

/// Thread safety: all methods. What a task throws is logged.
class WorkerPool {
 public:
  explicit WorkerPool(int num_threads);
  ~WorkerPool() { stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// After stop() the caller runs it.
  void run(std::function<void()> task);
  /// Returns when every task that was handed in has run. REQUIRES: not called by a task.
  void stop();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // mutex_
  bool stopped_ = false;                     // mutex_
  std::vector<std::thread> threads_;
};

}  // namespace xlstm::server
