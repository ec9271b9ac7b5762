// How a kernel asks for weights that it reads as a stream: in memory order, once, from main memory.
#pragma once

#include <cstdint>

#include "hwy/base.h"

namespace xlstm::kernels {

/// Of a cache line and of the pages that the hardware's prefetcher stays within.
inline constexpr std::int64_t kLineBytes = 64, kPageBytes = 4096;

/// Weights are fetched into the first-level cache so far ahead of their use. That is too near to hide main memory, but
/// each fetch leads the hardware's own prefetcher, which runs further ahead, to the end of a page.
inline constexpr std::int64_t kStreamAhead = 2048;

/// Asks for the line that is read kStreamAhead bytes after `at`.
HWY_INLINE void fetch_line(const void* at) { __builtin_prefetch(static_cast<const char*>(at) + kStreamAhead, 0, 3); }

/// Called once for every kOpenBytes of a stream: asks, one after the other, for the first lines of the page behind the
/// one that is read, so that the hardware's prefetcher has begun with a page before the stream gets there. Without it
/// a stream waits at every page.
inline constexpr std::int64_t kOpenBytes = 1024;
HWY_INLINE void open_next_page(const void* at) {
  const auto address = reinterpret_cast<std::uintptr_t>(at), in_page = address % kPageBytes;
  const std::uintptr_t line = address - in_page + kPageBytes + in_page / kOpenBytes * kLineBytes;
  __builtin_prefetch(reinterpret_cast<const void*>(line), 0, 2);
}

}  // namespace xlstm::kernels
