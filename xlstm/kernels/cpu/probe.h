// What this machine can do at best, measured: how fast all threads read memory, and how fast they multiply and add.
#pragma once

#include <cstddef>

#include "xlstm/base/thread_pool.h"

namespace xlstm::kernels {

/// Memory to read, far larger than any cache, touched and backed by huge pages where the system grants them.
/// Thread safety: one thread at a time.
class ReadProbe {
 public:
  static constexpr std::size_t kDefaultBytes = std::size_t{512} << 20;

  /// Allocates and fills `bytes`, rounded up to whole chunks. Errors: overloaded (no memory).
  explicit ReadProbe(ThreadPool& pool, std::size_t bytes = kDefaultBytes);
  ~ReadProbe();
  ReadProbe(const ReadProbe&) = delete;
  ReadProbe& operator=(const ReadProbe&) = delete;

  /// Bytes per second of the fastest of three readers (plain, prefetched, several streams a thread), each one pass over
  /// the whole buffer with every thread of `pool`.
  double measure(ThreadPool& pool);

  std::size_t nbytes() const noexcept { return num_bytes_; }

 private:
  const std::byte* data() const noexcept;  // starts on a huge page

  std::size_t num_bytes_ = 0;
  std::size_t mapped_bytes_ = 0;
  void* memory_ = nullptr;
};

/// float32 operations per second (an FMA is two) of one pass of about 20 ms: 12 independent chains of FMA in the
/// registers of every thread of `pool`, in the CPU target in use.
double fma_peak(ThreadPool& pool);

}  // namespace xlstm::kernels
