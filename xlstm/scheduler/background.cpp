#include "xlstm/scheduler/background.h"

#include <utility>

namespace xlstm::scheduler {

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Background::post(Task task, bool urgent) {
  {
    const std::lock_guard lock(mutex_);
    (urgent ? urgent_ : tasks_).push_back(std::move(task));
  }
  wake_.notify_one();
}

void Background::wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return !busy_ && urgent_.empty() && tasks_.empty(); });
}

void Background::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || !urgent_.empty() || !tasks_.empty(); });
    std::deque<Task>& next = urgent_.empty() ? tasks_ : urgent_;
    if (next.empty()) return;
    Task task = std::move(next.front());
    next.pop_front();
    busy_ = true;
    lock.unlock();
    task();
    task = {};  // what it held goes before anybody is told
    lock.lock();
    busy_ = false;
    idle_.notify_all();
  }
}

}  // namespace xlstm::scheduler
