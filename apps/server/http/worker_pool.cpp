#include "apps/server/http/worker_pool.h"

#include <pthread.h>

#include <exception>
#include <string>
#include <utility>

#include "xlstm/base/log.h"

namespace xlstm::server {
namespace {

void run_logged(const std::function<void()>& task) {
  try {
    task();
  } catch (const std::exception& error) {
    log(LogLevel::warning, std::string("[http] a callback failed: ") + error.what());
  }
}

}  // namespace

WorkerPool::WorkerPool(int num_threads) {
  for (int i = 0; i < num_threads; ++i) threads_.emplace_back([this] { work(); });
}

void WorkerPool::run(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      tasks_.push_back(std::move(task));
      changed_.notify_one();
      return;
    }
  }
  run_logged(task);
}

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::work() {
  ::pthread_setname_np(::pthread_self(), "http-worker");
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopped_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      run_logged(task);
    }  // what the task holds goes before the lock is taken again
    lock.lock();
  }
}

}  // namespace xlstm::server
