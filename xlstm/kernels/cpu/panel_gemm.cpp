#include "xlstm/kernels/cpu/panel_gemm.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/panel_gemm.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"
#include "xlstm/kernels/cpu/unpack-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Unpacked weights lie tile by tile (kRows rows), in a tile 16 columns by 16: a row's 16 are one cache line, and the
// product walks through them in memory order.
constexpr int kBlock = kRows * kPanelWidth;

constexpr int kTile = kRows * static_cast<int>(kGemmCols);
constexpr Strides kUnpacked = {kPanelWidth, 1, kPanelWidth, kBlock, kTile};
static_assert(kGemmRows % kRows == 0 && kGemmCols % kPanelWidth == 0);
static_assert(kGemmCols % 128 == 0);  // whole groups, whatever their size

/// Columns [k, k + cols) of one row -> float32, a line of 16 every kBlock floats.
void unpack_row(const MatrixView& w, std::int64_t row, std::int64_t k, std::int64_t cols, float* to) {
  if (w.groups.bits == 4) return dequantize<4>(w, row, k, cols, to, kBlock);
  if (w.groups.bits == 8) return dequantize<8>(w, row, k, cols, to, kBlock);
  const std::byte* const from = static_cast<const std::byte*>(w.data) + row * w.row_bytes();
  widen(w.dtype, from + k * static_cast<std::int64_t>(dtype_size(w.dtype)), cols, to, kBlock);
}

void panel_gemm_target(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const float* x,
                       std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                       float* scratch) {
  const std::int64_t tiles = (row_end - row_begin) / kRows * (panels / kTilePanels);
  std::int64_t k = 0;
  do {  // once for no columns: y is then zero, or what it was
    const std::int64_t cols = std::min(kGemmCols, w.cols - k);
    for (std::int64_t r = row_begin; r < row_end; ++r) {
      const std::int64_t i = r - row_begin;
      unpack_row(w, r, k, cols, scratch + i / kRows * kTile + i % kRows * kPanelWidth);
    }
    const float beta = accumulate || k > 0 ? 1.0f : 0.0f;
    gemm_panels<kUnpacked>({scratch, kPanelWidth, 1, x + k * kPanelWidth, kPanelWidth, y + row_begin * kPanelWidth,
                            kPanelWidth, cols, beta, x_stride, y_stride},
                           row_end - row_begin, panels, ahead_of(w, row_begin, row_end, k, kGemmCols, tiles));
    k += kGemmCols;
  } while (k < w.cols);
}

void panel_gemm_small_target(const float* w, std::int64_t rows, std::int64_t cols, const float* x,
                             std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels) {
  gemm_panels({w, cols, 1, x, kPanelWidth, y, kPanelWidth, cols, 0.0f, x_stride, y_stride}, rows, panels);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(panel_gemm_target);
HWY_EXPORT(panel_gemm_small_target);

void panel_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const float* x,
                std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                float* scratch) {
  HWY_DYNAMIC_DISPATCH(panel_gemm_target)(w, row_begin, row_end, x, x_stride, y, y_stride, panels, accumulate, scratch);
}

void panel_gemm_small(const float* w, std::int64_t rows, std::int64_t cols, const float* x, std::int64_t x_stride,
                      float* y, std::int64_t y_stride, std::int64_t panels) {
  HWY_DYNAMIC_DISPATCH(panel_gemm_small_target)(w, rows, cols, x, x_stride, y, y_stride, panels);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
