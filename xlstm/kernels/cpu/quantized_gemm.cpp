#include "xlstm/kernels/cpu/quantized_gemm.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "xlstm/kernels/cpu/quantized_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/quantized_gemm.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/quantized_tile-inl.h"
#include "xlstm/kernels/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

template <class Dot>
void multiply_panels(const QuantizedTile& tile, std::int64_t panels) {
  if constexpr (kTilePanels > 1) {
    if (panels > 1) return quantized_tile<Dot, kTilePanels>(tile);
  }
  quantized_tile<Dot, 1>(tile);
}

template <class Dot>
QuantizedKernel kernel() {
  return {kDotRows, kTilePanels, kPieceColumns, Dot::kColumns == 2, multiply_panels<Dot>, nullptr, nullptr};
}

QuantizedKernel kernel_target(QuantizedOrder order, bool vnni) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
  if (order == QuantizedOrder::quads) return vnni ? kernel<VnniQuadsDot>() : kernel<NibbleQuadsDot>();
  if (vnni) return kernel<VnniPairsDot>();
#else
  (void)order, (void)vnni;
#endif
  return kernel<PairsDot>();
}

/// `cols` q -> pieces `stride` bytes apart.
template <int kBits, class Q>
void unpack_row(const std::byte* from, std::int64_t cols, std::int64_t piece, std::byte* to, std::int64_t stride) {
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
  const std::int64_t row_groups = w.cols / groups.group_size, num_scales = w.rows * row_groups;
  for (std::int64_t i = 0; begin + i < end || i % kernel.rows != 0; ++i) {
    const std::int64_t row = std::min(begin + i, end - 1);
    unpack(static_cast<const std::byte*>(w.data) + row * w.row_bytes() + k * groups.bits / 8, cols, kernel.piece,
           q + i / kernel.rows * tile + i % kernel.rows * piece, kernel.rows * piece);
    // Whole lines of 16, whatever follows a row's scales, but nothing past the last one of the matrix.
    const std::int64_t first = row * row_groups + k / groups.group_size;
    const std::int64_t lines = (cols / groups.group_size + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
    widen(groups.dtype,
          static_cast<const std::byte*>(groups.scales) + first * static_cast<std::int64_t>(dtype_size(groups.dtype)),
          std::min(lines, num_scales - first), scales + i * kTileGroups, kPanelWidth);
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
#include "xlstm/kernels/cpu/panel_gemm.h"

namespace xlstm::kernels {

HWY_EXPORT(kernel_target);
HWY_EXPORT(unpack_tiles_target);

namespace {

QuantizedKernel kernel_for(QuantizedOrder order, std::int64_t group_size) {
  const CpuExtensions cpu = cpu_extensions();
  if (cpu.amx) return amx_quantized_kernel(order, group_size);
  return HWY_DYNAMIC_DISPATCH(kernel_target)(order, cpu.avx_vnni || cpu.avx512_vnni);
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

constexpr std::int64_t kMaxTileFloats = 2 * 12 * kPanelWidth;

/// `rows` of the rows of a tile.
void multiply_tile(const QuantizedKernel& kernel, const QuantizedTile& tile, std::int64_t rows, std::int64_t panels) {
  if (rows >= kernel.rows) return kernel.multiply(tile, panels);
  alignas(64) std::array<float, kMaxTileFloats> room{};
  QuantizedTile whole = tile;
  whole.y = room.data();
  whole.y_stride = kernel.rows * kPanelWidth;
  for (std::int64_t p = 0; p < panels; ++p) {
    std::copy_n(tile.y + p * tile.y_stride, rows * kPanelWidth, whole.y + p * whole.y_stride);
  }
  kernel.multiply(whole, panels);
  for (std::int64_t p = 0; p < panels; ++p) {
    std::copy_n(whole.y + p * whole.y_stride, rows * kPanelWidth, tile.y + p * tile.y_stride);
  }
}

}  // namespace

void quantized_gemm(const MatrixView& w, DType type, std::int64_t row_begin, std::int64_t row_end, const std::byte* x,
                    std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                    std::byte* scratch) {
  const std::int64_t group_size = w.groups.group_size;
  const QuantizedPanel panel = quantized_panel({type, w.groups.bits, group_size}, w.cols);
  const QuantizedKernel kernel = kernel_for(panel.order, group_size);
  multiply_biases(w, row_begin, row_end, x, panel, x_stride, y, y_stride, panels, accumulate, scratch);

  const std::int64_t element = kernel.wide ? 2 : 1, step = kTileGroups * 32 / kernel.panels / element;
  auto* const scales = reinterpret_cast<float*>(scratch + kQuantizedGemmRows * kTileGroups * 32);
  const std::int64_t tiles = (row_end - row_begin + kernel.rows - 1) / kernel.rows;
  if (kernel.begin != nullptr) kernel.begin(group_size);
  for (std::int64_t k = 0; k < w.cols; k += step) {
    const std::int64_t cols = std::min(step, w.cols - k);
    HWY_DYNAMIC_DISPATCH(unpack_tiles_target)(w, row_begin, row_end, k, cols, kernel, scratch, scales);
    Ahead ahead = ahead_of(w, row_begin, row_end, k, step, tiles * ((panels + kernel.panels - 1) / kernel.panels));
    for (std::int64_t p = 0; p < panels; p += kernel.panels) {
      for (std::int64_t i = 0; i < tiles; ++i) {
        ahead.fetch();
        const std::int64_t row = i * kernel.rows;
        multiply_tile(kernel,
                      {scratch + row * cols * element, scales + row * kTileGroups, x + p * x_stride + k * kPanelWidth * element,
                       reinterpret_cast<const float*>(x + p * x_stride + panel.scales) + k / group_size * kPanelWidth,
                       x_stride, panel.low, y + p * y_stride + (row_begin + row) * kPanelWidth, y_stride, cols / group_size, group_size},
                      row_end - row_begin - row, std::min(kernel.panels, panels - p));
      }
    }
  }
  if (kernel.end != nullptr) kernel.end();
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
