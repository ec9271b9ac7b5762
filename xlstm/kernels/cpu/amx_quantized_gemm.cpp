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
std::int64_t piece_of(std::int64_t group_size) { return std::min<std::int64_t>(group_size, 64); }

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

/// The sums of group g, in the tiles.
template <bool kPlanes>
XLSTM_AMX_INT8 inline void multiply_group(const QuantizedTile& t, std::int64_t g) {
  const std::int64_t piece = piece_of(t.group_size), begin = g * t.group_size, end = begin + t.group_size;
  _tile_zero(0);
  if constexpr (kPlanes) _tile_zero(1);
  for (std::int64_t c = begin; c < end; c += piece) {
    _tile_loadd(2, t.w + c * kRows, piece);
    _tile_loadd(3, t.x + c * kPanelWidth, kLine);
    _tile_dpbusd(0, 2, 3);
    if constexpr (kPlanes) {
      _tile_loadd(4, t.x + t.low + c * kPanelWidth, kLine);
      _tile_dpbuud(1, 2, 4);
    }
  }
}

template <bool kPlanes>
XLSTM_AMX_INT8 inline void store_group(Sums* sums) {
  _tile_stored(0, sums[0].of, kLine);
  if constexpr (kPlanes) _tile_stored(1, sums[1].of, kLine);
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

/// y += scale_w * scale_x * sum for group g.
template <bool kPlanes>
XLSTM_AMX_INT8 inline void add_group(const QuantizedTile& t, std::int64_t g, const Sums* sums, __m512 (&y)[kRows]) {
  const __m512 x_scale = _mm512_load_ps(t.x_scales + g * kPanelWidth);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const __m512 scaled = _mm512_mul_ps(row_of<kPlanes>(sums, r), x_scale);
    y[r] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(t.w_scales[r * kTileGroups + g]), y[r]);
  }
}

/// 16 rows of one panel. The unit works on a group while the sums of the one before are added to y, and those leave it
/// last: a store waits for the unit, and what follows it in program order would wait as well.
template <bool kPlanes>
XLSTM_AMX_INT8 void multiply_tile(const QuantizedTile& t, std::int64_t) {
  Sums sums[2][2];
  __m512 y[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) y[r] = _mm512_loadu_ps(t.y + r * kPanelWidth);
  for (std::int64_t g = 0; g <= t.groups; ++g) {
    if (g < t.groups) multiply_group<kPlanes>(t, g);
    if (g > 0) add_group<kPlanes>(t, g - 1, sums[(g - 1) % 2], y);
    if (g < t.groups) store_group<kPlanes>(sums[g % 2]);
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) _mm512_storeu_ps(t.y + r * kPanelWidth, y[r]);
}

}  // namespace

QuantizedKernel amx_quantized_kernel(QuantizedOrder order, std::int64_t group_size) {
  const auto multiply = order == QuantizedOrder::planes ? multiply_tile<true> : multiply_tile<false>;
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
