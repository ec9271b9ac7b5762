// What is told of a scheduler: counters, and how times are spread.
#pragma once

#include <array>
#include <cstddef>

namespace xlstm::scheduler {

/// Counts of times in buckets that double from 0.1 ms to 1 h; a snapshot is a copy.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 27;
  /// Upper end of bucket i, in seconds; the last one has none (infinity).
  static double upper(std::size_t bucket) noexcept;

  void observe(double seconds) noexcept;
  std::size_t count() const noexcept { return count_; }
  double sum() const noexcept { return sum_; }
  const std::array<std::size_t, kBuckets>& buckets() const noexcept { return buckets_; }
  /// Where a share of all lies below, at most a bucket too high; 0 of nothing. REQUIRES: 0 < share <= 1.
  double quantile(double share) const noexcept;

 private:
  std::array<std::size_t, kBuckets> buckets_ = {};
  std::size_t count_ = 0;
  double sum_ = 0;
};

/// The tier below RAM.
struct StoreStats {
  std::size_t snapshots = 0, bytes = 0, max_bytes = 0;  // kept now; swapped out: in bytes alone
  std::size_t writes = 0, reads = 0, evictions = 0;     // evictions: beyond the quota
  std::size_t dropped = 0;                              // not taken, or not written for a fault
  std::size_t damaged = 0;                              // found unreadable and removed
};

/// Counters since the start, and what there is now.
struct Stats {
  std::size_t running = 0, waiting = 0;  // requests with and without the right to a state
  std::size_t rows = 0;                  // of the last decode pass
  std::size_t submitted = 0, refused = 0, completed = 0, cancelled = 0, failed = 0, drained = 0;
  std::size_t steps = 0, prefill_tokens = 0, decode_tokens = 0, generated_tokens = 0, preemptions = 0;
  std::size_t cache_queries = 0, cache_hits = 0, cached_tokens = 0, cache_evictions = 0;
  std::size_t cached_snapshots = 0, cache_bytes = 0;  // states, logits and ids
  std::size_t state_bytes = 0, max_state_bytes = 0;   // of all states, a shared one once
  std::size_t state_copies = 0, state_forks = 0;      // written apart; handed on without a copy
  std::size_t swaps_out = 0, swaps_in = 0;            // states of sequences that gave way to others
  std::size_t restores = 0, restored_tokens = 0;      // snapshots from the store; tokens so not read again
  std::size_t worker_tokens = 0, worker_faults = 0;   // read by prefill workers; prompts that one has failed at
  StoreStats store;
  Histogram queue_seconds, first_token_seconds, inter_token_seconds, request_seconds;
};

}  // namespace xlstm::scheduler
