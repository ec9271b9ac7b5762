// Matrix products of prefill whose weights and activations are both bfloat16.
//
// Products are exact; sums are float32, rounded to the nearest, and no more of them than a float32 product has. Numbers
// below 2^-126 (operands, products, sums) count as 0, whatever the rounding mode of the process.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/matrix_view.h"
#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::kernels {

/// Rows of weights in one call at most, and columns at a time: 192 x 256 bfloat16 = 96 KB stay in the second-level
/// cache, while 256 x 16 of x (8 KB) stay in the first.
inline constexpr std::int64_t kBf16GemmRows = 192;
inline constexpr std::int64_t kBf16GemmCols = 256;
inline constexpr std::int64_t kBf16GemmScratch = kBf16GemmRows * kBf16GemmCols;  // bfloat16

/// bfloat16 that a panel of `cols` features becomes.
constexpr std::int64_t bf16_panel_size(std::int64_t cols) { return (cols + 31) / 32 * 32 * kPanelWidth; }

/// One panel x [cols][16], rounded as by round_to_bfloat16_in_place (panel_ops.h) -> [pairs of features][16 tokens][2],
/// with zeros up to a multiple of 32 features. out: bf16_panel_size(cols), aligned to 64 bytes. On every target.
void bf16_round_panel(const float* x, std::int64_t cols, std::uint16_t* out);

/// As panel_gemm, with at most kBf16GemmRows rows, w bfloat16, and panel p of x as bf16_round_panel left it at
/// x + p * x_stride. scratch: kBf16GemmScratch bfloat16 of the calling thread, aligned to 64 bytes. The order of
/// summation depends on w.cols and the CPU target alone. REQUIRES: cpu_extensions().avx512_bf16.
void bf16_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const std::uint16_t* x,
               std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
               std::uint16_t* scratch);

}  // namespace xlstm::kernels
