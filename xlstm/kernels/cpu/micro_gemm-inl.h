// The register tile of every matrix product in prefill: rows of A (broadcast) times a panel of 16 columns of B.
// Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_MICRO_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_MICRO_GEMM_INL_H_
#undef XLSTM_KERNELS_CPU_MICRO_GEMM_INL_H_
#else
#define XLSTM_KERNELS_CPU_MICRO_GEMM_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "xlstm/kernels/cpu/panel.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DP = hn::CappedTag<float, kPanelWidth>;
using VP = hn::Vec<DP>;

// A panel is kVectors vectors wide; 12 running sums fill the registers of AVX2 (12 + 2 of B + 1 of A = 15 of 16) and
// hide the latency of fma (4 cycles x 2 ports = 8) everywhere.
constexpr int kLanes = static_cast<int>(hn::MaxLanes(DP()));
constexpr int kVectors = kPanelWidth / kLanes;
constexpr int kSums = 12;
constexpr int kRows = kVectors <= 4 ? kSums / kVectors : 1;

/// Strides in floats. a[r, i] = a[r * row + i * col]; b[i] is 16 floats at b + i * ldb; c[r] 16 floats at c + r * ldc.
struct Tile {
  const float* a;
  std::int64_t a_row, a_col;
  const float* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  std::int64_t k;
  float beta;  // c = beta * c + a b; 0 does not read c
};

#if HWY_TARGET == HWY_SCALAR
template <int R>
void micro_gemm(const Tile& t) {
  for (int r = 0; r < R; ++r) {
    float sum[kPanelWidth] = {};
    for (std::int64_t i = 0; i < t.k; ++i) {
      const float a = t.a[r * t.a_row + i * t.a_col];
      for (int j = 0; j < kPanelWidth; ++j) sum[j] += a * t.b[i * t.ldb + j];
    }
    for (int j = 0; j < kPanelWidth; ++j) {
      float& c = t.c[r * t.ldc + j];
      c = t.beta == 0 ? sum[j] : t.beta * c + sum[j];
    }
  }
}
#else
// Sum s is row s / kVectors, vector s % kVectors. Named variables and not an array: an array would live in memory.
#define XLSTM_FOR_SUMS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

template <int R>
void micro_gemm(const Tile& t) {
  const DP d;
  constexpr int kUsed = R * kVectors;
  const float* a = t.a;
  const float* b = t.b;
  const std::int64_t row = t.a_row;
#define XLSTM_ZERO(s) VP sum##s = hn::Zero(d);
  XLSTM_FOR_SUMS(XLSTM_ZERO)
  for (std::int64_t i = 0; i < t.k; ++i) {
    const VP b0 = hn::LoadU(d, b);
    const VP b1 = kVectors > 1 ? hn::LoadU(d, b + 1 * kLanes) : b0;
    const VP b2 = kVectors > 2 ? hn::LoadU(d, b + 2 * kLanes) : b0;
    const VP b3 = kVectors > 3 ? hn::LoadU(d, b + 3 * kLanes) : b0;
#define XLSTM_MULTIPLY_ADD(s)                                                                                         \
  if constexpr (s < kUsed) {                                                                                          \
    constexpr int v = (s) % kVectors;                                                                                 \
    sum##s = hn::MulAdd(hn::Set(d, a[((s) / kVectors) * row]), v == 0 ? b0 : v == 1 ? b1 : v == 2 ? b2 : b3, sum##s); \
  }
    XLSTM_FOR_SUMS(XLSTM_MULTIPLY_ADD)
    a += t.a_col;
    b += t.ldb;
  }
  if (t.beta == 0) {
#define XLSTM_STORE(s) \
  if constexpr (s < kUsed) hn::StoreU(sum##s, d, t.c + ((s) / kVectors) * t.ldc + ((s) % kVectors) * kLanes);
    XLSTM_FOR_SUMS(XLSTM_STORE)
  } else {
    const VP beta = hn::Set(d, t.beta);
#define XLSTM_ADD(s)                                                       \
  if constexpr (s < kUsed) {                                               \
    float* c = t.c + ((s) / kVectors) * t.ldc + ((s) % kVectors) * kLanes; \
    hn::StoreU(hn::MulAdd(beta, hn::LoadU(d, c), sum##s), d, c);           \
  }
    XLSTM_FOR_SUMS(XLSTM_ADD)
  }
#undef XLSTM_ZERO
#undef XLSTM_MULTIPLY_ADD
#undef XLSTM_STORE
#undef XLSTM_ADD
}
#undef XLSTM_FOR_SUMS
#endif

/// rows x 16 tile by tile. Every element's sum runs over i = 0..k-1 in order, whatever tile it falls into.
inline void gemm16(Tile t, std::int64_t rows) {
  const auto advance = [&t, &rows](int done) {
    t.a += done * t.a_row;
    t.c += done * t.ldc;
    rows -= done;
  };
  while (rows >= kRows) {
    micro_gemm<kRows>(t);
    advance(kRows);
  }
  if constexpr (kRows > 8) {
    if (rows >= 8) {
      micro_gemm<8>(t);
      advance(8);
    }
  }
  if constexpr (kRows > 4) {
    if (rows >= 4) {
      micro_gemm<4>(t);
      advance(4);
    }
  }
  if constexpr (kRows > 2) {
    if (rows >= 2) {
      micro_gemm<2>(t);
      advance(2);
    }
  }
  if constexpr (kRows > 1) {
    while (rows >= 1) {
      micro_gemm<1>(t);
      advance(1);
    }
  }
}

/// The same where only `cols` < 16 columns of c exist; b must be readable 16 wide. At most kRows rows at a time go
/// through `tile`.
inline void gemm16_partial(Tile t, std::int64_t rows, std::int64_t cols) {
  alignas(64) float tile[kSums * kPanelWidth];
  const auto bytes = static_cast<std::size_t>(cols) * sizeof(float);
  for (std::int64_t r = 0; r < rows; r += kRows) {
    const std::int64_t count = rows - r < kRows ? rows - r : kRows;
    Tile part = t;
    part.a = t.a + r * t.a_row;
    part.c = tile;
    part.ldc = kPanelWidth;
    std::memset(tile, 0, sizeof(tile));
    if (t.beta != 0) {
      for (std::int64_t i = 0; i < count; ++i) std::memcpy(tile + i * kPanelWidth, t.c + (r + i) * t.ldc, bytes);
    }
    gemm16(part, count);
    for (std::int64_t i = 0; i < count; ++i) std::memcpy(t.c + (r + i) * t.ldc, tile + i * kPanelWidth, bytes);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_MICRO_GEMM_INL_H_
