#include "xlstm/kernels/cpu/quantized_gemm.h"

#include <algorithm>
#include <cstring>

#include "xlstm/kernels/cpu/quantized_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/quantized_gemm.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/dot_tile-inl.h"
#include "xlstm/kernels/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

/// y += scale_w * scale_x * sum
HWY_INLINE void add_scaled(VI sum, float w_scale, VP x_scale, float* y) {
  const DP d;
  const VP scaled = hn::Mul(hn::ConvertTo(d, sum), x_scale);
  hn::StoreU(hn::MulAdd(scaled, hn::Set(d, w_scale), hn::LoadU(d, y)), d, y);
}

/// totals = (add ? totals : 0) + the sums of one piece.
template <class Dot, class T>
HWY_INLINE void keep_totals(const T& tile, bool add, std::int32_t (&totals)[kDotRows][T::kWide][kLanes]) {
  constexpr int kWide = T::kWide;
  const DI d;
  if (!add) {
    XLSTM_FOR_TILE(r, v) hn::Store(Dot::total(tile.sum[r][v]), d, totals[r][v]);
    return;
  }
  XLSTM_FOR_TILE(r, v) { hn::Store(hn::Add(hn::Load(d, totals[r][v]), Dot::total(tile.sum[r][v])), d, totals[r][v]); }
}

/// kDotRows rows of P panels; kGroup: t.group_size.
template <class Dot, int P, int kGroup>
void quantized_tile(const QuantizedTile& t) {
  using T = DotTile<Dot, P>;
  constexpr int kWide = T::kWide;
  const DI d;
  // Copies: what is stored in y might be a member of t, as far as the compiler knows.
  const std::byte *w = t.w, *x = t.x;
  const float *w_scales = t.w_scales, *x_scales = t.x_scales;
  float* const y = t.y;
  const std::int64_t groups = t.groups, y_stride = t.y_stride;
  const std::int64_t x_stride = t.x_stride, x_scales_stride = t.x_stride / 4;
  const auto next_piece = [&](T& tile) HWY_ATTR {
    tile.multiply(w, x, x_stride);
    w += T::kPieceBytes;
    x += T::kPanelBytes;
  };
  // Of a group's pieces but the last, whose sums stay in registers.
  alignas(64) std::int32_t totals[kDotRows][kWide][kLanes];
  if constexpr (Dot::kWidens) XLSTM_FOR_TILE(r, v) hn::Store(hn::Zero(d), d, totals[r][v]);
  for (std::int64_t g = 0; g < groups; ++g, ++w_scales, x_scales += kPanelWidth) {
    T tile;
    if constexpr (!Dot::kWidens) tile.clear();
    for (int c = kPieceColumns; c < kGroup; c += kPieceColumns) {
      next_piece(tile);
      if constexpr (Dot::kWidens) keep_totals<Dot>(tile, c > kPieceColumns, totals);
    }
    next_piece(tile);
    XLSTM_UNROLLED(int v = 0; v < kWide; ++v) {
      const std::int64_t panel = v / kVectors, lane = v % kVectors * kLanes;
      const VP x_scale = hn::Load(DP(), x_scales + panel * x_scales_stride + lane);
      XLSTM_UNROLLED(int r = 0; r < kDotRows; ++r) {
        VI sum = Dot::total(tile.sum[r][v]);
        if constexpr (Dot::kWidens) sum = hn::Add(sum, hn::Load(d, totals[r][v]));
        add_scaled(sum, w_scales[r * kTileGroups], x_scale, y + panel * y_stride + r * kPanelWidth + lane);
      }
    }
  }
}

template <class Dot, int kGroup>
void multiply_panels(const QuantizedTile& tile, std::int64_t panels) {
  if constexpr (kTilePanels > 1) {
    if (panels > 1) return quantized_tile<Dot, kTilePanels, kGroup>(tile);
  }
  quantized_tile<Dot, 1, kGroup>(tile);
}

template <class Dot>
QuantizedKernel kernel(std::int64_t group_size) {
  const auto multiply = group_size == 32   ? multiply_panels<Dot, 32>
                        : group_size == 64 ? multiply_panels<Dot, 64>
                                           : multiply_panels<Dot, 128>;
  return {kDotRows, kTilePanels, kPieceColumns, Dot::kColumns == 2, multiply, nullptr, nullptr};
}

QuantizedKernel kernel_target(QuantizedOrder order, std::int64_t group_size, bool vnni) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  if (order == QuantizedOrder::quads)
    return vnni ? kernel<VnniQuadsDot>(group_size) : kernel<NibbleQuadsDot>(group_size);
  if (vnni) return kernel<VnniPairsDot>(group_size);
#else
  (void)order, (void)vnni;
#endif
  return kernel<PairsDot>(group_size);
}

/// `cols` q -> pieces `stride` bytes apart.
template <int kBits, class Q>
void unpack_row(const std::byte* from, std::int64_t cols, std::int64_t piece, std::byte* to, std::int64_t stride) {
  if (piece == kShortPiece) {
    for (std::int64_t c = 0; c < cols; c += kPieceColumns, from += kPieceColumns * kBits / 8) {
      Q q[kPieceColumns];
      unpack_q<kBits>(from, q);
      for (const Q* short_piece = q; short_piece < q + kPieceColumns; short_piece += kShortPiece, to += stride) {
        std::memcpy(to, short_piece, kShortPiece * sizeof(Q));
      }
    }
    return;
  }
  for (std::int64_t c = 0; c < cols; c += piece, to += stride) {
    for (std::int64_t i = 0; i < piece; i += kPieceColumns, from += kPieceColumns * kBits / 8) {
      unpack_q<kBits>(from, reinterpret_cast<Q*>(to) + i);
    }
  }
}

/// Columns [k, k + cols) of rows [begin, end) -> tiles of kernel.rows; past the last row that row again.
void unpack_tiles_target(const MatrixView& w, std::int64_t begin, std::int64_t end, std::int64_t k, std::int64_t cols,
                         const QuantizedKernel& kernel, std::byte* q, float* scales) {
  const AffineGroupsView& groups = w.groups;
  const auto unpack = kernel.wide ? (groups.bits == 4 ? unpack_row<4, std::uint16_t> : unpack_row<8, std::uint16_t>)
                                  : (groups.bits == 4 ? unpack_row<4, std::uint8_t> : unpack_row<8, std::uint8_t>);
  const std::int64_t element = kernel.wide ? 2 : 1, piece = kernel.piece * element, tile = kernel.rows * cols * element;
  const std::int64_t row_groups = w.cols / groups.group_size;
  const auto scale_bytes = static_cast<std::int64_t>(dtype_size(groups.dtype));
  constexpr std::int64_t kRowsAhead = 16;
  for (std::int64_t i = 0; begin + i < end || i % kernel.rows != 0; ++i) {
    const std::int64_t row = std::min(begin + i, end - 1);
    unpack(static_cast<const std::byte*>(w.data) + row * w.row_bytes() + k * groups.bits / 8, cols, kernel.piece,
           q + i / kernel.rows * tile + i % kernel.rows * piece, kernel.rows * piece);
    const std::int64_t first = row * row_groups + k / groups.group_size;
    widen_parameters(groups.dtype, groups.scales, first, cols / groups.group_size, w.rows * row_groups,
                     scales + i * kTileGroups);
    hwy::Prefetch(static_cast<const std::byte*>(groups.scales) + (first + kRowsAhead * row_groups) * scale_bytes);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "xlstm/kernels/cpu/ahead.h"
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/amx_quantized_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/neon_quantized_gemm.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/partial_tile.h"

namespace xlstm::kernels {

HWY_EXPORT(kernel_target);
HWY_EXPORT(unpack_tiles_target);

namespace {

QuantizedKernel kernel_for(const QuantizedPanel& panel, std::int64_t group_size) {
  const CpuExtensions cpu = cpu_extensions();
  if (cpu.amx) return amx_quantized_kernel(panel.order, group_size);
  if (cpu.dotprod) return neon_quantized_kernel(panel);
  return HWY_DYNAMIC_DISPATCH(kernel_target)(panel.order, group_size, cpu.avx_vnni || cpu.avx512_vnni);
}

/// The term of the biases is a product of its own: a column for each group, whose activation is scale * (sum of q).
void multiply_biases(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::byte* x,
                     const QuantizedPanel& panel, std::int64_t x_stride, float* y, std::int64_t y_stride,
                     std::int64_t panels, bool accumulate, std::byte* scratch) {
  const MatrixView biases = {w.groups.dtype, w.groups.biases, w.rows, w.cols / w.groups.group_size};
  if (cpu_extensions().amx && biases.dtype == DType::bfloat16) {
    amx_gemm(biases, row_begin, row_end, reinterpret_cast<const std::uint16_t*>(x + panel.parts), x_stride / 2, y,
             y_stride, panels, accumulate, reinterpret_cast<std::uint16_t*>(scratch));
  } else {
    panel_gemm(biases, row_begin, row_end, reinterpret_cast<const float*>(x + panel.sums), x_stride / 4, y, y_stride,
               panels, accumulate, reinterpret_cast<float*>(scratch));
  }
}

static_assert(kQuantizedGemmScratch >= kQuantizedGemmRows * (kTileRowBytes + kTileGroups * 4));
static_assert(kQuantizedGemmScratch >= kGemmScratch * 4 && kQuantizedGemmScratch >= kAmxScratch * 2);

}  // namespace

void quantized_gemm(const MatrixView& w, DType type, std::int64_t row_begin, std::int64_t row_end, const std::byte* x,
                    std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                    std::byte* scratch) {
  const std::int64_t group_size = w.groups.group_size;
  const QuantizedPanel panel = quantized_panel({type, w.groups.bits, group_size}, w.cols);
  const QuantizedKernel kernel = kernel_for(panel, group_size);
  multiply_biases(w, row_begin, row_end, x, panel, x_stride, y, y_stride, panels, accumulate, scratch);

  const std::int64_t element = kernel.wide ? 2 : 1, x_bytes = panel.order == QuantizedOrder::quads ? 1 : 2;
  const std::int64_t step = kTileRowBytes / kernel.panels / x_bytes;
  auto* const scales = reinterpret_cast<float*>(scratch + kQuantizedGemmRows * kTileRowBytes);
  const std::int64_t tiles = (row_end - row_begin + kernel.rows - 1) / kernel.rows;
  if (kernel.begin != nullptr) kernel.begin(group_size);
  for (std::int64_t k = 0; k < w.cols; k += step) {
    const std::int64_t cols = std::min(step, w.cols - k);
    HWY_DYNAMIC_DISPATCH(unpack_tiles_target)(w, row_begin, row_end, k, cols, kernel, scratch, scales);
    Ahead ahead = ahead_of(w, row_begin, row_end, k, step, tiles * ((panels + kernel.panels - 1) / kernel.panels));
    for (std::int64_t p = 0; p < panels; p += kernel.panels) {
      QuantizedTile tile;
      tile.x = x + p * x_stride + k * kPanelWidth * element;
      tile.x_scales = reinterpret_cast<const float*>(x + p * x_stride + panel.scales) + k / group_size * kPanelWidth;
      tile.x_stride = x_stride;
      tile.low = panel.low;
      tile.offsets =
          reinterpret_cast<const std::int32_t*>(x + p * x_stride + panel.offsets) + k / group_size * kPanelWidth;
      tile.groups = cols / group_size;
      tile.group_size = group_size;
      const std::int64_t count = std::min(kernel.panels, panels - p);
      for (std::int64_t row = row_begin; row < row_end; row += kernel.rows) {
        ahead.fetch();
        tile.w = scratch + (row - row_begin) * cols * element;
        tile.w_scales = scales + (row - row_begin) * kTileGroups;
        multiply_rows_of_tile(row_end - row, kernel.rows, count, y + p * y_stride + row * kPanelWidth, y_stride,
                              [&](float* to, std::int64_t to_stride) {
                                tile.y = to;
                                tile.y_stride = to_stride;
                                kernel.multiply(tile, count);
                              });
      }
    }
  }
  if (kernel.end != nullptr) kernel.end();
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
