// Highway 1.0.3 has no target for AMX: functions of this file carry the instruction sets they need themselves.
#include "xlstm/kernels/cpu/amx_quantized_gemm.h"

#include "xlstm/base/error.h"

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>

#include <algorithm>

#include "xlstm/kernels/cpu/amx_tile.h"
#include "xlstm/kernels/cpu/panel.h"

#define XLSTM_AMX_INT8 [[gnu::target("amx-tile,amx-int8,avx512f")]]

namespace xlstm::kernels {
namespace {

constexpr int kRows = 16;
constexpr std::int64_t kLine = 64;

/// Columns of one product: a group or the half or quarter of one.
constexpr std::int64_t piece_of(std::int64_t group_size) { return std::min<std::int64_t>(group_size, 64); }

/// Tile 0: sums of quads or of high bytes, 1: of low bytes; 2: weights; 3 and 4: the bytes of a panel.
constexpr TileConfig config_of(std::int64_t piece) {
  TileConfig config;
  config.row_bytes[2] = static_cast<std::uint16_t>(piece);
  config.rows[3] = config.rows[4] = static_cast<std::uint8_t>(piece / 4);
  return config;
}
XLSTM_AMX_INT8 void begin(std::int64_t group_size) {
  static constexpr TileConfig kWhole = config_of(64), kHalf = config_of(32);  // static: g++ takes it for 8 bytes long
  _tile_loadconfig(piece_of(group_size) == 64 ? &kWhole : &kHalf);
}
XLSTM_AMX_INT8 void end() { _tile_release(); }

/// A tile's int32 sums, one row of weights after the other.
struct alignas(64) Sums {
  std::int32_t of[kRows][kPanelWidth];
};

/// What the stages of a tile read, in registers: every store of the unit may change what memory holds.
struct Operands {
  const std::byte *w, *x, *low;
  const float *w_scales, *x_scales;
};

/// Tile 0 = the sums of quads or of high bytes of group g. Its last weights stay in tile 2.
template <int kSize>
XLSTM_AMX_INT8 inline void multiply_high(const Operands& from, std::int64_t g) {
  constexpr std::int64_t kPiece = piece_of(kSize);
  _tile_zero(0);
  for (std::int64_t c = g * kSize; c < (g + 1) * kSize; c += kPiece) {
    _tile_loadd(2, from.w + c * kRows, kPiece);
    _tile_loadd(3, from.x + c * kPanelWidth, kLine);
    _tile_dpbusd(0, 2, 3);
  }
}

/// Tile 1 = the sums of low bytes. REQUIRES: multiply_high of the same group just before.
template <int kSize>
XLSTM_AMX_INT8 inline void multiply_low(const Operands& from, std::int64_t g) {
  constexpr std::int64_t kPiece = piece_of(kSize);
  _tile_zero(1);
  for (std::int64_t c = (g + 1) * kSize - kPiece; c >= g * kSize; c -= kPiece) {
    if (c + kPiece < (g + 1) * kSize) _tile_loadd(2, from.w + c * kRows, kPiece);
    _tile_loadd(4, from.low + c * kPanelWidth, kLine);
    _tile_dpbuud(1, 2, 4);
  }
}

// Under a mask of all lanes: for the plain intrinsics g++ 12 warns of its own undefined values.
constexpr __mmask16 kAll = 0xffff;

/// Row r of the sums of a group.
template <bool kPlanes>
XLSTM_AMX_INT8 inline __m512 row_of(const Sums* sums, int r) {
  __m512i sum = _mm512_load_si512(sums[0].of[r]);
  if constexpr (kPlanes) {
    sum = _mm512_add_epi32(_mm512_maskz_slli_epi32(kAll, sum, 8), _mm512_load_si512(sums[1].of[r]));
  }
  return _mm512_maskz_cvtepi32_ps(kAll, sum);
}

/// Rows [kBegin, kEnd) of y += scale_w * scale_x * sum for group g.
template <bool kPlanes, int kBegin, int kEnd>
XLSTM_AMX_INT8 inline void add_rows(const Operands& from, std::int64_t g, const Sums* sums, __m512 (&y)[kRows]) {
  const __m512 x_scale = _mm512_load_ps(from.x_scales + g * kPanelWidth);
#pragma GCC unroll 16
  for (int r = kBegin; r < kEnd; ++r) {
    const __m512 scaled = _mm512_mul_ps(row_of<kPlanes>(sums, r), x_scale);
    y[r] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(from.w_scales[r * kTileGroups + g]), y[r]);
  }
}

/// One step of three stages a group apart: the unit multiplies group g, the sums of g - 1 leave it, those of g - 2 are
/// added to y. They take turns every few rows: a queue full of one kind would keep the other kind out.
template <bool kPlanes, int kSize>
XLSTM_AMX_INT8 [[gnu::always_inline]] inline void step(const Operands& from, std::int64_t g, bool multiplies,
                                                       bool stores, bool adds, Sums (&ring)[2][2], __m512 (&y)[kRows]) {
  const Sums* const done = ring[g % 2];
  Sums* const next = ring[(g + 1) % 2];
  if (stores) _tile_stored(0, next[0].of, kLine);
  if (adds) add_rows<kPlanes, 0, 4>(from, g - 2, done, y);
  if (multiplies) multiply_high<kSize>(from, g);
  if (adds) add_rows<kPlanes, 4, 8>(from, g - 2, done, y);
  if (kPlanes && stores) _tile_stored(1, next[1].of, kLine);
  if (adds) add_rows<kPlanes, 8, 12>(from, g - 2, done, y);
  if (kPlanes && multiplies) multiply_low<kSize>(from, g);
  if (adds) add_rows<kPlanes, 12, 16>(from, g - 2, done, y);
}

/// 16 rows of one panel.
template <bool kPlanes, int kSize>
XLSTM_AMX_INT8 void multiply_tile(const QuantizedTile& t, std::int64_t) {
  const Operands from = {t.w, t.x, t.x + t.low, t.w_scales, t.x_scales};
  float* const out = t.y;
  const std::int64_t groups = t.groups;
  Sums ring[2][2];
  __m512 y[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) y[r] = _mm512_loadu_ps(out + r * kPanelWidth);
  for (std::int64_t g = 0; g < groups + 2; ++g) {
    if (g > 1 && g < groups) {
      step<kPlanes, kSize>(from, g, true, true, true, ring, y);
    } else {
      step<kPlanes, kSize>(from, g, g<groups, g> 0 && g <= groups, g > 1, ring, y);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(out + r * kPanelWidth, y[r]);
}

template <bool kPlanes>
auto tile_of(std::int64_t group_size) {
  return group_size == 32   ? multiply_tile<kPlanes, 32>
         : group_size == 64 ? multiply_tile<kPlanes, 64>
                            : multiply_tile<kPlanes, 128>;
}

}  // namespace

QuantizedKernel amx_quantized_kernel(QuantizedOrder order, std::int64_t group_size) {
  const auto multiply = order == QuantizedOrder::planes ? tile_of<true>(group_size) : tile_of<false>(group_size);
  return {kRows, 1, piece_of(group_size), false, multiply, begin, end};
}

}  // namespace xlstm::kernels

#else

namespace xlstm::kernels {

QuantizedKernel amx_quantized_kernel(QuantizedOrder, std::int64_t) {
  fail(ErrorCode::internal, "amx", "not on this CPU");
}

}  // namespace xlstm::kernels
#endif
