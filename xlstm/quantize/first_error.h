// Errors on the threads of a pool, whose functions must not throw.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>

namespace xlstm::quantize {

/// What goes wrong on the pool's threads is thrown on the caller's. After the first error nothing more is called.
class FirstError {
 public:
  template <class F>
  void guard(F&& f) noexcept {
    if (failed_) return;
    try {
      f();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failed_.exchange(true)) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace xlstm::quantize
