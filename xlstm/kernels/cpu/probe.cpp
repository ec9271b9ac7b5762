#include "xlstm/kernels/cpu/probe.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/probe.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One stream, or each of two, is fetched so far ahead of its use.
constexpr std::size_t kAheadBytes = 4096;
constexpr std::size_t kStreamAheadBytes = 1024;

// Xor of `bytes` (a multiple of 8 vectors) at `from`, in eight running sums so that only the loads can be the limit.
template <bool kPrefetch>
HWY_INLINE std::uint32_t read_one_stream(const std::uint32_t* from, std::size_t bytes) {
  const hn::ScalableTag<std::uint32_t> d;
  const std::size_t n = hn::Lanes(d), end = bytes / sizeof(std::uint32_t);
  auto a = hn::Zero(d), b = a, c = a, e = a, f = a, g = a, h = a, i = a;
  for (std::size_t at = 0; at < end; at += 8 * n) {
    const std::uint32_t* p = from + at;
    if constexpr (kPrefetch) {
      for (std::size_t line = 0; line < 8 * n * sizeof(std::uint32_t); line += 64) {
        hwy::Prefetch(reinterpret_cast<const char*>(p) + kAheadBytes + line);
      }
    }
    a = hn::Xor(a, hn::Load(d, p));
    b = hn::Xor(b, hn::Load(d, p + n));
    c = hn::Xor(c, hn::Load(d, p + 2 * n));
    e = hn::Xor(e, hn::Load(d, p + 3 * n));
    f = hn::Xor(f, hn::Load(d, p + 4 * n));
    g = hn::Xor(g, hn::Load(d, p + 5 * n));
    h = hn::Xor(h, hn::Load(d, p + 6 * n));
    i = hn::Xor(i, hn::Load(d, p + 7 * n));
  }
  a = hn::Xor(hn::Xor(hn::Xor(a, b), hn::Xor(c, e)), hn::Xor(hn::Xor(f, g), hn::Xor(h, i)));
  return hn::GetLane(hn::SumOfLanes(d, a));
}

// Two streams side by side, half of the chunk each: keeps more than one hardware prefetcher busy.
HWY_INLINE std::uint32_t read_two_streams(const std::uint32_t* from, std::size_t bytes) {
  const hn::ScalableTag<std::uint32_t> d;
  const std::size_t n = hn::Lanes(d), half = bytes / 2 / sizeof(std::uint32_t);
  auto a = hn::Zero(d), b = a, c = a, e = a, f = a, g = a, h = a, i = a;
  for (std::size_t at = 0; at < half; at += 4 * n) {
    const std::uint32_t *p = from + at, *q = p + half;
    for (std::size_t line = 0; line < 4 * n * sizeof(std::uint32_t); line += 64) {
      hwy::Prefetch(reinterpret_cast<const char*>(p) + kStreamAheadBytes + line);
      hwy::Prefetch(reinterpret_cast<const char*>(q) + kStreamAheadBytes + line);
    }
    a = hn::Xor(a, hn::Load(d, p));
    b = hn::Xor(b, hn::Load(d, p + n));
    c = hn::Xor(c, hn::Load(d, p + 2 * n));
    e = hn::Xor(e, hn::Load(d, p + 3 * n));
    f = hn::Xor(f, hn::Load(d, q));
    g = hn::Xor(g, hn::Load(d, q + n));
    h = hn::Xor(h, hn::Load(d, q + 2 * n));
    i = hn::Xor(i, hn::Load(d, q + 3 * n));
  }
  a = hn::Xor(hn::Xor(hn::Xor(a, b), hn::Xor(c, e)), hn::Xor(hn::Xor(f, g), hn::Xor(h, i)));
  return hn::GetLane(hn::SumOfLanes(d, a));
}

std::uint32_t read_target(int reader, const std::uint32_t* from, std::size_t bytes) {
  switch (reader) {
    case 0:
      return read_one_stream<false>(from, bytes);
    case 1:
      return read_one_stream<true>(from, bytes);
    default:
      return read_two_streams(from, bytes);
  }
}

// 12 chains x = x + scale * shift, as in a product: NEON's fma adds to its own result alone. With a latency of 4 cycles
// and two FMA a cycle, 8 chains would be the least that fill the units; 12 and the two constants still fit the 16
// registers of AVX2.
float fma_target(std::int64_t rounds, float scale, float shift) {
  const hn::ScalableTag<float> d;
  const auto s = hn::Set(d, scale), t = hn::Set(d, shift);
  auto x0 = hn::Set(d, 0.0f), x1 = hn::Set(d, 0.1f), x2 = hn::Set(d, 0.2f), x3 = hn::Set(d, 0.3f);
  auto x4 = hn::Set(d, 0.4f), x5 = hn::Set(d, 0.5f), x6 = hn::Set(d, 0.6f), x7 = hn::Set(d, 0.7f);
  auto x8 = hn::Set(d, 0.8f), x9 = hn::Set(d, 0.9f), x10 = hn::Set(d, 1.0f), x11 = hn::Set(d, 1.1f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    x0 = hn::MulAdd(s, t, x0);
    x1 = hn::MulAdd(s, t, x1);
    x2 = hn::MulAdd(s, t, x2);
    x3 = hn::MulAdd(s, t, x3);
    x4 = hn::MulAdd(s, t, x4);
    x5 = hn::MulAdd(s, t, x5);
    x6 = hn::MulAdd(s, t, x6);
    x7 = hn::MulAdd(s, t, x7);
    x8 = hn::MulAdd(s, t, x8);
    x9 = hn::MulAdd(s, t, x9);
    x10 = hn::MulAdd(s, t, x10);
    x11 = hn::MulAdd(s, t, x11);
  }
  const auto a = hn::Add(hn::Add(x0, x1), hn::Add(x2, x3)), b = hn::Add(hn::Add(x4, x5), hn::Add(x6, x7));
  const auto c = hn::Add(hn::Add(x8, x9), hn::Add(x10, x11));
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), c)));
}

std::int64_t fma_flops_per_round() { return 12 * 2 * static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>())); }

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::kernels {
namespace {

HWY_EXPORT(read_target);
HWY_EXPORT(fma_target);
HWY_EXPORT(fma_flops_per_round);

using Clock = std::chrono::steady_clock;

// Claimed by a thread at a time: large enough that claiming costs nothing, small enough that threads end together.
constexpr std::size_t kChunkBytes = std::size_t{512} << 10;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
constexpr int kNumReaders = 3;

std::atomic<std::uint32_t> g_sink{0};  // results end here, so that no loop can be dropped

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double read_once(ThreadPool& pool, int reader, const std::byte* memory, std::size_t bytes) {
  const auto start = Clock::now();
  pool.parallel_for(static_cast<std::int64_t>(bytes / kChunkBytes), [&](std::int64_t chunk) {
    const auto* from = reinterpret_cast<const std::uint32_t*>(memory + static_cast<std::size_t>(chunk) * kChunkBytes);
    g_sink.fetch_xor(HWY_DYNAMIC_DISPATCH(read_target)(reader, from, kChunkBytes), std::memory_order_relaxed);
  });
  return static_cast<double>(bytes) / seconds_since(start);
}

}  // namespace

ReadProbe::ReadProbe(ThreadPool& pool, std::size_t bytes) {
  num_bytes_ = std::max<std::size_t>((bytes + kChunkBytes - 1) / kChunkBytes, 1) * kChunkBytes;
  mapped_bytes_ = num_bytes_ + kHugePageBytes;  // room to start on a huge page
  void* memory =
      ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    fail(ErrorCode::overloaded, "read probe", "expected ", num_bytes_,
         " bytes of memory but got: ", std::strerror(errno));
  }
  memory_ = memory;
#ifdef MADV_HUGEPAGE
  ::madvise(memory, mapped_bytes_, MADV_HUGEPAGE);  // advice: refusal only makes the reading slower
#endif
  pool.parallel_for(static_cast<std::int64_t>(num_bytes_ / kChunkBytes), [&](std::int64_t chunk) {
    auto* to = const_cast<std::byte*>(data()) + static_cast<std::size_t>(chunk) * kChunkBytes;
    std::memset(to, static_cast<int>(chunk % 251 + 1), kChunkBytes);
  });
}

ReadProbe::~ReadProbe() { ::munmap(memory_, mapped_bytes_); }

const std::byte* ReadProbe::data() const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(memory_);
  const std::uintptr_t start = (address + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  return static_cast<const std::byte*>(memory_) + (start - address);
}

double ReadProbe::measure(ThreadPool& pool) {
  cpu_target_name();  // applies XLSTM_CPU_TARGET
  double best = 0;
  for (int reader = 0; reader < kNumReaders; ++reader)
    best = std::max(best, read_once(pool, reader, data(), num_bytes_));
  return best;
}

double fma_peak(ThreadPool& pool) {
  cpu_target_name();  // applies XLSTM_CPU_TARGET
  // About 1 ms a piece at 2 x 12 FMA in 6 cycles of 3 GHz; twenty pieces a thread, so that a late thread costs little.
  constexpr std::int64_t kRounds = 500'000;
  const std::int64_t pieces = 20 * static_cast<std::int64_t>(pool.num_threads());
  const auto start = Clock::now();
  pool.parallel_for(pieces, [](std::int64_t piece) {
    const float sum = HWY_DYNAMIC_DISPATCH(fma_target)(kRounds, 0.999f, 0.001f + 1e-9f * static_cast<float>(piece));
    g_sink.fetch_xor(static_cast<std::uint32_t>(sum), std::memory_order_relaxed);
  });
  const double flops = static_cast<double>(pieces) * static_cast<double>(kRounds) *
                       static_cast<double>(HWY_DYNAMIC_DISPATCH(fma_flops_per_round)());
  return flops / seconds_since(start);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
