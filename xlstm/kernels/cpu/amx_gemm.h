// Matrix products of prefill on AMX, the tile unit of Intel's server CPUs: bfloat16 weights, float32 accuracy.
//
// The unit multiplies bfloat16 by bfloat16 and sums in float32, at 16 times the rate of float32 fma. A float32 is the
// sum of three bfloat16 (8 + 8 + 8 bits of its 24, by truncation: exactly), so an activation is cut into three parts,
// and every product is exact; only sums are rounded, no more often than a float32 product's. Numbers below 2^-126 count
// as 0.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::kernels {

/// Rows of weights in one call at most, and columns at a time: 256 x 256 bfloat16 = 128 KB stay in the second-level
/// cache, while the three parts of 256 x 16 of x (24 KB) stay in the first.
inline constexpr std::int64_t kAmxRows = 256;
inline constexpr std::int64_t kAmxCols = 256;
inline constexpr std::int64_t kAmxScratch = kAmxRows * kAmxCols;  // bfloat16

/// This CPU has the unit, and the system lets this process use it.
bool amx_supported();

/// Parts of a float32 activation.
inline constexpr int kAmxParts = 3;

/// bfloat16 that a panel of `cols` features becomes.
constexpr std::int64_t amx_panel_size(std::int64_t cols) { return (cols + 31) / 32 * 32 * kPanelWidth * kAmxParts; }

/// The three parts of one panel x [cols][16]: for every 32 features three tiles [16 pairs of features][16 tokens][2].
/// out: amx_panel_size(cols), aligned to 64 bytes. REQUIRES: amx_supported().
void amx_split_panel(const float* x, std::int64_t cols, std::uint16_t* out);

/// As panel_gemm, with at most kAmxRows rows, w bfloat16, and panel p of x at x + p * x_stride: as amx_split_panel left
/// it or, with 1 part, as bf16_round_panel (bf16_gemm.h). scratch: kAmxScratch bfloat16 of the calling thread, aligned
/// to 64 bytes. The order of summation depends on w.cols alone. REQUIRES: amx_supported().
void amx_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::uint16_t* x,
              std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
              std::uint16_t* scratch, int parts = kAmxParts);

}  // namespace xlstm::kernels
