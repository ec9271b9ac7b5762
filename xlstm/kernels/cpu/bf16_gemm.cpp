#include "xlstm/kernels/cpu/bf16_gemm.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/ahead.h"
#include "xlstm/kernels/cpu/partial_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/bf16_gemm.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/dot_tile-inl.h"
#include "xlstm/kernels/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

void round_panel_target(const float* x, std::int64_t cols, std::uint16_t* out) {
  const DP d;
  const hn::RebindToUnsigned<DP> du;
  for (std::int64_t c = 0; c < bf16_panel_size(cols) / kPanelWidth; c += 2) {
    for (int lane = 0; lane < kPanelWidth; lane += kLanes) {
      const auto rounded = [&](std::int64_t feature) HWY_ATTR {
        const VP value = feature < cols ? hn::LoadU(d, x + feature * kPanelWidth + lane) : hn::Zero(d);
        return hn::BitCast(du, round_to_bfloat16(d, value));
      };
      const auto pair = hn::Or(hn::ShiftRight<16>(rounded(c)), rounded(c + 1));
      hn::StoreU(pair, du, reinterpret_cast<std::uint32_t*>(out + c * kPanelWidth) + lane);
    }
  }
}

/// Weights and panels, from the same column on; y [kDotRows][16] is added to or written.
struct Tile16 {
  const std::byte* w;  // [pieces][kDotRows][32]
  const std::byte* x;
  std::int64_t x_panel;  // bytes to the next
  std::int64_t pieces;
  bool accumulate;
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
template <int P>
void bf16_tile(const Tile16& t, float* y, std::int64_t y_stride) {
  using T = DotTile<Bfloat16PairsDot, P>;
  constexpr int kWide = T::kWide;
  const DP d;
  T tile;
  tile.clear();
  for (std::int64_t i = 0; i < t.pieces; ++i)
    tile.multiply(t.w + i * T::kPieceBytes, t.x + i * T::kPanelBytes, t.x_panel);
  XLSTM_FOR_TILE(r, v) {
    float* to = y + v * y_stride + r * kPanelWidth;
    const VP sum = hn::BitCast(d, tile.sum[r][v]);
    hn::StoreU(t.accumulate ? hn::Add(hn::LoadU(d, to), sum) : sum, d, to);
  }
}

/// Rows [begin, end), columns [k, k + cols) -> tiles [pieces][kDotRows][32], zeros where there is no column; past the
/// last row that row again.
void pack(const MatrixView& w, std::int64_t begin, std::int64_t end, std::int64_t k, std::int64_t cols,
          std::uint16_t* out) {
  const auto* weights = static_cast<const std::uint16_t*>(w.data);
  const std::int64_t pieces = (cols + kPieceColumns - 1) / kPieceColumns;
  for (std::int64_t i = 0; begin + i < end || i % kDotRows != 0; ++i) {
    const std::uint16_t* from = weights + std::min(begin + i, end - 1) * w.cols + k;
    std::uint16_t* to = out + (i / kDotRows * pieces * kDotRows + i % kDotRows) * kPieceColumns;
    for (std::int64_t c = 0; c < cols; c += kPieceColumns, to += kDotRows * kPieceColumns) {
      const std::int64_t count = std::min(kPieceColumns, cols - c);
      std::memcpy(to, from + c, static_cast<std::size_t>(count) * 2);
      std::fill_n(to + count, kPieceColumns - count, std::uint16_t{0});
    }
  }
}

void bf16_gemm_target(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::uint16_t* x,
                      std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                      std::uint16_t* scratch) {
  const std::int64_t tiles = (row_end - row_begin + kDotRows - 1) / kDotRows;
  std::int64_t k = 0;
  do {  // once for no columns: y is then zero, or what it was
    const std::int64_t cols = std::min(kBf16GemmCols, w.cols - k), pieces = (cols + kPieceColumns - 1) / kPieceColumns;
    pack(w, row_begin, row_end, k, cols, scratch);
    Ahead ahead = ahead_of(w, row_begin, row_end, k, kBf16GemmCols, tiles * ((panels + 1) / 2));
    for (std::int64_t p = 0; p < panels; p += 2) {
      for (std::int64_t row = row_begin; row < row_end; row += kDotRows) {
        ahead.fetch();
        const Tile16 tile = {reinterpret_cast<const std::byte*>(scratch + (row - row_begin) * pieces * kPieceColumns),
                             reinterpret_cast<const std::byte*>(x + p * x_stride + k * kPanelWidth), x_stride * 2,
                             pieces, accumulate || k > 0};
        const std::int64_t count = std::min<std::int64_t>(2, panels - p);
        multiply_rows_of_tile(row_end - row, kDotRows, count, y + p * y_stride + row * kPanelWidth, y_stride,
                              [&](float* to, std::int64_t to_stride) HWY_ATTR {
                                return count == 2 ? bf16_tile<2>(tile, to, to_stride)
                                                  : bf16_tile<1>(tile, to, to_stride);
                              });
      }
    }
    k += kBf16GemmCols;
  } while (k < w.cols);
}
#else
void bf16_gemm_target(const MatrixView&, std::int64_t, std::int64_t, const std::uint16_t*, std::int64_t, float*,
                      std::int64_t, std::int64_t, bool, std::uint16_t*) {
  fail(ErrorCode::internal, "bf16_gemm", "not on this CPU");
}
#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::kernels {

HWY_EXPORT(round_panel_target);
HWY_EXPORT(bf16_gemm_target);

void bf16_round_panel(const float* x, std::int64_t cols, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(round_panel_target)(x, cols, out);
}

void bf16_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::uint16_t* x,
               std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
               std::uint16_t* scratch) {
  if (cpu_extensions().amx) {
    static_assert(kBf16GemmRows <= kAmxRows && kBf16GemmScratch >= kBf16GemmRows * kAmxCols);
    return amx_gemm(w, row_begin, row_end, x, x_stride, y, y_stride, panels, accumulate, scratch, 1);
  }
  HWY_DYNAMIC_DISPATCH(bf16_gemm_target)
  (w, row_begin, row_end, x, x_stride, y, y_stride, panels, accumulate, scratch);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
