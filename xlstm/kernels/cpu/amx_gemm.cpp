// Highway 1.0.3 has no target for AMX: functions of this file carry the instruction sets they need themselves.
#include "xlstm/kernels/cpu/amx_gemm.h"

#include "xlstm/base/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "xlstm/kernels/cpu/ahead.h"
#include "xlstm/kernels/cpu/amx_tile.h"

#define XLSTM_AMX [[gnu::target("amx-tile,amx-bf16")]]
#define XLSTM_AVX512 [[gnu::target("avx512f")]]

namespace xlstm::kernels {
namespace {

constexpr std::int64_t kTileRows = 16;  // of weights, and of tokens
constexpr std::int64_t kTileCols = 32;  // bfloat16 in a tile's row of 64 bytes
constexpr std::int64_t kTile = kTileRows * kTileCols;
constexpr std::int64_t kGroup = 4;  // tiles of weights side by side: 4 of sums, 3 of x and 1 of weights are all 8

bool ask_for_amx() {
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmxBf16) == 0 || (d & kAmxTile) == 0) return false;
  if (!__builtin_cpu_supports("avx512f")) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// Rows [begin, end), columns [k, k + cols) -> tiles [row tile][column tile][16][32], zeros where there is no weight.
void pack(const MatrixView& w, std::int64_t begin, std::int64_t end, std::int64_t k, std::int64_t cols,
          std::uint16_t* out) {
  const auto* weights = static_cast<const std::uint16_t*>(w.data);
  const std::int64_t whole = cols / kTileCols * kTileCols, steps = (cols + kTileCols - 1) / kTileCols;
  for (std::int64_t r = 0; r < (end - begin + kTileRows - 1) / kTileRows * kTileRows; ++r) {
    std::uint16_t* to = out + r / kTileRows * steps * kTile + r % kTileRows * kTileCols;
    if (begin + r >= end) {
      for (std::int64_t s = 0; s < steps; ++s) std::fill_n(to + s * kTile, kTileCols, std::uint16_t{0});
      continue;
    }
    const std::uint16_t* from = weights + (begin + r) * w.cols + k;
    for (std::int64_t c = 0; c < whole; c += kTileCols, to += kTile) std::memcpy(to, from + c, kTileCols * 2);
    if (whole < cols) {
      std::fill_n(to, kTileCols, std::uint16_t{0});
      std::memcpy(to, from + whole, static_cast<std::size_t>(cols - whole) * 2);
    }
  }
}

/// Where the sums of one row tile lie: 16 x 16 floats, row by row.
using Sums = float* const*;

/// sums[i] (+)= weights tile row i times one panel, for kTiles row tiles of `steps` column tiles each.
template <int kTiles, int kParts>
XLSTM_AMX void multiply_group(const std::uint16_t* weights, const std::uint16_t* x, std::int64_t steps, bool accumulate,
                              Sums sums) {
  constexpr std::int64_t kRow = 64;  // bytes
#define XLSTM_FOR_TILES(X)    \
  X(0)                        \
  if constexpr (kTiles > 1) { \
    X(1)                      \
  }                           \
  if constexpr (kTiles > 2) { \
    X(2)                      \
  }                           \
  if constexpr (kTiles > 3) { \
    X(3)                      \
  }
#define XLSTM_ZERO(i) _tile_zero(i);
#define XLSTM_LOAD(i) _tile_loadd(i, sums[i], kRow);
#define XLSTM_STORE(i) _tile_stored(i, sums[i], kRow);
// A tile of sums comes up again after kTiles products, which hides most of their latency (about 52 cycles, one begins
// every 16); the weights are loaded again for it, from the first-level cache.
#define XLSTM_PRODUCT(i, part)                       \
  _tile_loadd(7, weights + (i)*steps * kTile, kRow); \
  _tile_dpbf16ps(i, 7, part);
#define XLSTM_HIGH(i) XLSTM_PRODUCT(i, 4)
#define XLSTM_MIDDLE(i) XLSTM_PRODUCT(i, 5)
#define XLSTM_LOW(i) XLSTM_PRODUCT(i, 6)
  if (accumulate) {
    XLSTM_FOR_TILES(XLSTM_LOAD)
  } else {
    XLSTM_FOR_TILES(XLSTM_ZERO)
  }
  for (std::int64_t s = 0; s < steps; ++s) {
    _tile_loadd(4, x, kRow);
    if constexpr (kParts == 3) {
      _tile_loadd(5, x + kTile, kRow);
      _tile_loadd(6, x + 2 * kTile, kRow);
      XLSTM_FOR_TILES(XLSTM_LOW)  // the smallest first
      XLSTM_FOR_TILES(XLSTM_MIDDLE)
    }
    XLSTM_FOR_TILES(XLSTM_HIGH)
    weights += kTile;
    x += kParts * kTile;
  }
  XLSTM_FOR_TILES(XLSTM_STORE)
#undef XLSTM_FOR_TILES
#undef XLSTM_ZERO
#undef XLSTM_LOAD
#undef XLSTM_STORE
#undef XLSTM_PRODUCT
#undef XLSTM_HIGH
#undef XLSTM_MIDDLE
#undef XLSTM_LOW
}

/// Up to four row tiles (`rows` rows) times one panel. y: the first row's place.
template <int kParts>
void multiply_rows(const std::uint16_t* weights, const std::uint16_t* x, std::int64_t steps, std::int64_t rows,
                   bool accumulate, float* y) {
  alignas(64) float tail[kTileRows * kPanelWidth];  // the last rows of the matrix, when they do not fill a tile
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows, tail_rows = rows % kTileRows;
  float* sums[kGroup];
  for (std::int64_t i = 0; i < tiles; ++i) sums[i] = y + i * kTileRows * kPanelWidth;
  float* last = sums[tiles - 1];
  const auto tail_bytes = static_cast<std::size_t>(tail_rows * kPanelWidth) * sizeof(float);
  if (tail_rows != 0) {
    std::memset(tail, 0, sizeof(tail));
    if (accumulate) std::memcpy(tail, last, tail_bytes);
    sums[tiles - 1] = tail;
  }
  if (tiles == 1) multiply_group<1, kParts>(weights, x, steps, accumulate, sums);
  if (tiles == 2) multiply_group<2, kParts>(weights, x, steps, accumulate, sums);
  if (tiles == 3) multiply_group<3, kParts>(weights, x, steps, accumulate, sums);
  if (tiles == 4) multiply_group<4, kParts>(weights, x, steps, accumulate, sums);
  if (tail_rows != 0) std::memcpy(last, tail, tail_bytes);
}

XLSTM_AMX void load_config() {
  static constexpr TileConfig kConfig;
  _tile_loadconfig(&kConfig);
}
/// Tiles that are in use make every switch to another thread save 8 KB.
XLSTM_AMX void release() { _tile_release(); }

/// The upper half of x as it is, and what is left of x; a NaN stays one and, like infinity, leaves nothing.
struct Cut {
  __m512i upper;
  __m512 rest;
};
XLSTM_AVX512 inline Cut cut(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  const __m512i infinity = _mm512_set1_epi32(0x7f800000);
  // The mantissa of a NaN may lie in the lower half alone.
  const __mmask16 nan = _mm512_cmpgt_epi32_mask(magnitude, infinity);
  const __m512i upper = _mm512_and_si512(_mm512_mask_or_epi32(bits, nan, bits, _mm512_set1_epi32(0x00400000)),
                                         _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
  const __mmask16 finite = _mm512_cmplt_epi32_mask(magnitude, infinity);
  return {upper, _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(upper))};
}

}  // namespace

bool amx_supported() {
  static const bool supported = ask_for_amx();
  return supported;
}

XLSTM_AVX512 void amx_split_panel(const float* x, std::int64_t cols, std::uint16_t* out) {
  for (std::int64_t c = 0; c < cols; c += 2) {
    __m512 even = _mm512_loadu_ps(x + c * kPanelWidth);
    __m512 odd = c + 1 < cols ? _mm512_loadu_ps(x + (c + 1) * kPanelWidth) : _mm512_setzero_ps();
    std::uint16_t* to = out + c / kTileCols * kAmxParts * kTile + c % kTileCols * kPanelWidth;
    for (int part = 0; part < kAmxParts; ++part, to += kTile) {
      const Cut e = cut(even), o = cut(odd);
      _mm512_storeu_si512(to, _mm512_or_si512(o.upper, _mm512_maskz_srli_epi32(0xffff, e.upper, 16)));
      even = e.rest;
      odd = o.rest;
    }
  }
  for (std::int64_t c = (cols + 1) / 2 * 2; c % kTileCols != 0; c += 2) {
    std::uint16_t* to = out + c / kTileCols * kAmxParts * kTile + c % kTileCols * kPanelWidth;
    for (int part = 0; part < kAmxParts; ++part, to += kTile) std::fill_n(to, kTileCols, std::uint16_t{0});
  }
}

void amx_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::uint16_t* x,
              std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
              std::uint16_t* scratch, int parts) {
  constexpr std::int64_t kGroupRows = kGroup * kTileRows;
  const auto multiply = parts == 1 ? multiply_rows<1> : multiply_rows<kAmxParts>;
  load_config();
  std::int64_t k = 0;
  do {  // once for no columns: y is then zero, or what it was
    const std::int64_t cols = std::min(kAmxCols, w.cols - k), steps = (cols + kTileCols - 1) / kTileCols;
    pack(w, row_begin, row_end, k, cols, scratch);
    const std::int64_t groups = (row_end - row_begin + kGroupRows - 1) / kGroupRows;
    Ahead ahead = ahead_of(w, row_begin, row_end, k, kAmxCols, groups * panels);
    for (std::int64_t r = row_begin; r < row_end; r += kGroupRows) {  // whose weights stay in the first-level cache
      for (std::int64_t p = 0; p < panels; ++p) {
        ahead.fetch();
        multiply(scratch + (r - row_begin) / kTileRows * steps * kTile,
                 x + p * x_stride + k / kTileCols * parts * kTile, steps, std::min(kGroupRows, row_end - r),
                 accumulate || k > 0, y + p * y_stride + r * kPanelWidth);
      }
    }
    k += kAmxCols;
  } while (k < w.cols);
  release();
}

}  // namespace xlstm::kernels

#else

namespace xlstm::kernels {

bool amx_supported() { return false; }

void amx_split_panel(const float*, std::int64_t, std::uint16_t*) {
  fail(ErrorCode::internal, "amx", "not on this CPU");
}

void amx_gemm(const MatrixView&, std::int64_t, std::int64_t, const std::uint16_t*, std::int64_t, float*, std::int64_t,
              std::int64_t, bool, std::uint16_t*, int) {
  fail(ErrorCode::internal, "amx", "not on this CPU");
}

}  // namespace xlstm::kernels
#endif
