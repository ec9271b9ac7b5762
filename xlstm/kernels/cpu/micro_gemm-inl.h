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
#include "xlstm/kernels/cpu/ahead.h"
#include "xlstm/kernels/cpu/panel.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DP = hn::CappedTag<float, kPanelWidth>;
using VP = hn::Vec<DP>;

// A panel is kVectors vectors wide, and a tile kTilePanels panels: as many running sums as the registers hold beside a
// tile's row of B and one of A (AVX2: 12 + 2 + 1 of 16; AVX-512: 24 + 2 + 1, NEON: 24 + 4 + 1 of 32). Two panels where
// one is a single vector: a broadcast of A then feeds two fma, or loads would be the limit. 12 sums are enough to hide
// the latency of fma (4 cycles x 2 ports = 8) everywhere.
constexpr int kLanes = static_cast<int>(hn::MaxLanes(DP()));
constexpr int kVectors = kPanelWidth / kLanes;
constexpr int kTilePanels = kVectors == 1 ? 2 : 1;
constexpr int kSums = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64 ? 24 : 12;
constexpr int kRows = kVectors <= 4 ? kSums / (kVectors * kTilePanels) : 1;

/// Strides in floats. a[r, i] = a[r * row + i * col]; b[i] is 16 floats at b + i * ldb; c[r] 16 floats at c + r * ldc.
/// The next panel of b and c is b_panel and c_panel further on.
struct Tile {
  const float* a;
  std::int64_t a_row, a_col;
  const float* b;
  std::int64_t ldb;
  float* c;
  std::int64_t ldc;
  std::int64_t k;
  float beta;  // c = beta * c + a b; 0 does not read c
  std::int64_t b_panel = 0, c_panel = 0;
};

/// Strides of a tile that the compiler knows (0: only the tile does): they become displacements, without which the
/// registers of 12 rows do not suffice and their reloads and additions take turns of the fma ports.
struct Strides {
  int a_row = 0, a_col = 0, ldb = 0;
  int a_block = 0;  // not 0: columns of a lie in blocks of 16, so many floats apart,
  int a_tile = 0;   // and rows in tiles of kRows
};
inline constexpr Strides kAnyStrides = {};

#if HWY_TARGET == HWY_SCALAR
template <int R, int P, Strides S>
void micro_gemm(const Tile& t) {
  static_assert(P == 1);
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
// Sum s is row s / kWide, vector s % kWide of the P panels. Named variables and not an array: an array would live in
// memory.
// clang-format off
#define XLSTM_FOR_SUMS(X) \
  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
// clang-format on

template <int R, int P, Strides S>
void micro_gemm(const Tile& t) {
  const DP d;
  constexpr int kWide = P * kVectors;
  constexpr int kUsed = R * kWide;
  static_assert(kUsed <= 24 && kWide <= 4);
  const float* a = t.a;
  const float* b = t.b;
  const std::int64_t row = S.a_row != 0 ? S.a_row : t.a_row, col = S.a_col != 0 ? S.a_col : t.a_col;
  const std::int64_t ldb = S.ldb != 0 ? S.ldb : t.ldb;
  // Where vector v of a tile's row lies, from its first.
  const auto b_at = [&t](int v) { return (v / kVectors) * t.b_panel + (v % kVectors) * kLanes; };
  const auto c_at = [&t](int s) {
    return (s / kWide) * t.ldc + (s % kWide / kVectors) * t.c_panel + (s % kVectors) * kLanes;
  };
#define XLSTM_ZERO(s) VP sum##s = hn::Zero(d);
  XLSTM_FOR_SUMS(XLSTM_ZERO)
#define XLSTM_MULTIPLY_ADD(s)                                                                                      \
  if constexpr ((s) < kUsed) {                                                                                     \
    constexpr int v = (s) % kWide;                                                                                 \
    sum##s = hn::MulAdd(hn::Set(d, a[((s) / kWide) * row]), v == 0 ? b0 : v == 1 ? b1 : v == 2 ? b2 : b3, sum##s); \
  }
#define XLSTM_STEPS(count)                                             \
  _Pragma("GCC unroll 4") for (std::int64_t i = 0; i < (count); ++i) { \
    const VP b0 = hn::LoadU(d, b);                                     \
    const VP b1 = kWide > 1 ? hn::LoadU(d, b + b_at(1)) : b0;          \
    const VP b2 = kWide > 2 ? hn::LoadU(d, b + b_at(2)) : b0;          \
    const VP b3 = kWide > 3 ? hn::LoadU(d, b + b_at(3)) : b0;          \
    XLSTM_FOR_SUMS(XLSTM_MULTIPLY_ADD)                                 \
    a += col;                                                          \
    b += ldb;                                                          \
  }
  std::int64_t left = t.k;
  if constexpr (S.a_block != 0) {
    for (; left >= kPanelWidth; left -= kPanelWidth) {
      const float* next = a + S.a_block;
      XLSTM_STEPS(kPanelWidth)
      a = next;
    }
  }
  XLSTM_STEPS(left)
  if (t.beta == 0) {
#define XLSTM_STORE(s) \
  if constexpr ((s) < kUsed) hn::StoreU(sum##s, d, t.c + c_at(s));
    XLSTM_FOR_SUMS(XLSTM_STORE)
  } else {
    const VP beta = hn::Set(d, t.beta);
#define XLSTM_ADD(s)                                             \
  if constexpr ((s) < kUsed) {                                   \
    float* c = t.c + c_at(s);                                    \
    hn::StoreU(hn::MulAdd(beta, hn::LoadU(d, c), sum##s), d, c); \
  }
    XLSTM_FOR_SUMS(XLSTM_ADD)
  }
#undef XLSTM_ZERO
#undef XLSTM_MULTIPLY_ADD
#undef XLSTM_STEPS
#undef XLSTM_STORE
#undef XLSTM_ADD
}
#undef XLSTM_FOR_SUMS
#endif

/// As many times R rows of P panels as there are; t and rows then stand at what is left.
template <int R, int P, Strides S>
inline void gemm_rows(Tile& t, std::int64_t& rows, Ahead& ahead) {
  while (rows >= R) {
    ahead.fetch();
    micro_gemm<R, P, S>(t);
    t.a += R == kRows && S.a_tile != 0 ? S.a_tile : R * t.a_row;
    t.c += R * t.ldc;
    rows -= R;
  }
}

/// rows x P panels, tile by tile. Every element's sum runs over i = 0..k-1 in order, whatever tile it falls into.
template <int P, Strides S>
inline void gemm_tiles(Tile t, std::int64_t rows, Ahead& ahead) {
  gemm_rows<kRows, P, S>(t, rows, ahead);
  if constexpr (kRows > 8) gemm_rows<8, P, S>(t, rows, ahead);
  if constexpr (kRows > 4) gemm_rows<4, P, S>(t, rows, ahead);
  if constexpr (kRows > 2) gemm_rows<2, P, S>(t, rows, ahead);
  if constexpr (kRows > 1) gemm_rows<1, P, S>(t, rows, ahead);
}

/// rows x 16.
template <Strides S = kAnyStrides>
inline void gemm16(const Tile& t, std::int64_t rows) {
  Ahead nothing;
  gemm_tiles<1, S>(t, rows, nothing);
}

/// rows x (16 * panels); a panel's bits do not depend on how many there are.
template <Strides S = kAnyStrides>
inline void gemm_panels(Tile t, std::int64_t rows, std::int64_t panels, Ahead ahead = {}) {
  for (; panels >= kTilePanels; panels -= kTilePanels) {
    gemm_tiles<kTilePanels, S>(t, rows, ahead);
    t.b += kTilePanels * t.b_panel;
    t.c += kTilePanels * t.c_panel;
  }
  if (panels > 0) gemm_tiles<1, S>(t, rows, ahead);
}

/// The same where only `cols` < 16 columns of c exist; b must be readable 16 wide. At most kRows rows at a time go
/// through `tile`.
inline void gemm16_partial(Tile t, std::int64_t rows, std::int64_t cols) {
  alignas(64) float tile[kRows * kPanelWidth];
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
