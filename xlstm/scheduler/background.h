// A thread for work that must not hold up the steps of an engine.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace xlstm::scheduler {

/// Runs tasks one after the other, urgent ones first. Thread-safe. The destructor runs what is left.
class Background {
 public:
  using Task = std::function<void()>;  // must not throw

  Background() : thread_([this] { loop(); }) {}
  ~Background();
  Background(const Background&) = delete;

  void post(Task task, bool urgent = false);
  /// Returns when nothing is left to do.
  void wait();

 private:
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Task> urgent_, tasks_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace xlstm::scheduler
