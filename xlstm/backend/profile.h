// A stopwatch for the operations of a forward pass.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "xlstm/model/cost.h"

namespace xlstm::backend {

/// The seconds of each operation, summed over all passes that were given this profile. Not thread-safe: a pass laps on
/// its calling thread, which waits for the others at the end of every operation.
class Profile {
 public:
  struct Entry {
    double seconds = 0;
    std::int64_t laps = 0;
  };

  void start() noexcept { last_ = Clock::now(); }
  /// What was done since the last lap, or since start(), was `op`.
  void lap(model::Op op) noexcept {
    const Clock::time_point now = Clock::now();
    Entry& entry = entries_[static_cast<std::size_t>(op)];
    entry.seconds += std::chrono::duration<double>(now - last_).count();
    ++entry.laps;
    last_ = now;
  }
  const Entry& operator[](model::Op op) const noexcept { return entries_[static_cast<std::size_t>(op)]; }

 private:
  using Clock = std::chrono::steady_clock;
  std::array<Entry, model::kNumOps> entries_{};
  Clock::time_point last_;
};

}  // namespace xlstm::backend
