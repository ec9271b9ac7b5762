// Waiting for the engine's thread as Python wants it: without the GIL, and Ctrl-C ends the wait.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace nb = nanobind;

namespace xlstm::python {

/// Signals are looked for this often.
inline constexpr std::chrono::milliseconds kPatience{50};

using CancelFlag = std::shared_ptr<std::atomic<bool>>;

/// Raises what a signal handler raises: KeyboardInterrupt after Ctrl-C. Only the main thread has signals.
inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

/// The value of `future`. `meanwhile` is called now and then, with the GIL. When it or a signal raises, `cancel` is set
/// and the work left to itself: REQUIRES that it owns whatever it uses.
template <class T>
T wait(std::future<T> future, const CancelFlag& cancel = nullptr, const std::function<void()>& meanwhile = {}) {
  const auto is_ready = [&] {
    const nb::gil_scoped_release unlocked;
    return future.wait_for(kPatience) == std::future_status::ready;
  };
  try {
    while (!is_ready()) {
      check_signals();
      if (meanwhile) meanwhile();
    }
  } catch (...) {
    if (cancel) *cancel = true;
    throw;
  }
  return future.get();
}

}  // namespace xlstm::python
