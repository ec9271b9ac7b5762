// The work pool that CPU kernels share: parallel_for over dynamically claimed chunks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace xlstm {

/// parallel_for(count, f) calls f(i) once for every i in [0, count). Every thread begins with its own share of
/// consecutive chunks, thread t of T with [t * count / T, (t + 1) * count / T), so that what chunk i of one call left
/// in a core's cache is met by chunk i of the next call, and a thread reads memory in order; whoever has finished takes
/// chunks of the others. The caller works too and never waits for a worker that has not claimed a chunk, so a neighbour
/// that takes a core costs its share and no more. REQUIRES: count < 2^32.
///
/// Thread safety: parallel_for is for one caller at a time. f must not throw.
/// Invariant: a share's ticket packs (epoch, chunks left); a chunk is claimed by a compare-and-swap on it, so a worker
/// that wakes late with an old job in hand cannot claim from a new one.
class ThreadPool {
 public:
  /// num_threads counts the caller; 0 means available_cores() (cores.h).
  explicit ThreadPool(int num_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  template <class F>
  void parallel_for(std::int64_t count, F&& f) {
    if (count <= 0) return;
    if (workers_.empty() || count == 1) {
      for (std::int64_t i = 0; i < count; ++i) f(i);
      return;
    }
    using Callable = std::remove_reference_t<F>;  // F is a reference when a named function object is passed
    run(
        static_cast<std::uint32_t>(count),
        [](void* context, std::uint32_t i) { (*static_cast<Callable*>(context))(i); }, &f);
  }

 private:
  static constexpr std::size_t kLineBytes = 64;
  using Function = void (*)(void*, std::uint32_t);
  /// What a thread begins with, in a cache line of its own: it waits for a job on the line that brings the job.
  struct alignas(kLineBytes) Share {
    std::atomic<std::uint64_t> ticket{0};  // epoch << 32 | chunks left
    std::atomic<Function> function{nullptr};
    std::atomic<void*> context{nullptr};
    std::atomic<std::uint32_t> end{0};  // one past its last chunk
  };
  void run(std::uint32_t count, Function function, const void* context);
  void work(std::size_t thread);
  std::uint32_t run_share(std::size_t index);
  std::uint32_t share_end(std::size_t share, std::uint32_t count) const;

  std::vector<Share> shares_;                                // one a thread, the caller's first
  alignas(kLineBytes) std::atomic<std::uint32_t> done_{0};   // chunks the workers have done, of all jobs
  alignas(kLineBytes) std::atomic<std::uint32_t> epoch_{0};  // of the newest job; changes when all its shares are open
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::thread> workers_;
};

}  // namespace xlstm
