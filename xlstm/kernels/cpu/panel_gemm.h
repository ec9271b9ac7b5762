// Matrix products of prefill: stored weights times panels of tokens.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::kernels {

/// Rows of weights that one call unpacks at most, and columns at a time: 192 x 256 float32 = 192 KB, in the
/// second-level cache, while 256 x 16 of x (16 KB; AVX-512: of two panels) stay in the first.
inline constexpr std::int64_t kGemmRows = 192;
inline constexpr std::int64_t kGemmCols = 256;
inline constexpr std::int64_t kGemmScratch = kGemmRows * kGemmCols;

/// y[p, r] = sum_k w[r, k] x[p, k] (+ y[p, r] when accumulate) for rows [row_begin, row_end), at most kGemmRows of
/// them, and every panel p. x panel p starts at x + p * x_stride (floats), y panel p at y + p * y_stride; row r of y at
/// r * 16 in it. scratch: kGemmScratch floats of the calling thread. The order of summation depends on w.cols alone.
void panel_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const float* x,
                std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                float* scratch);

/// The same with small float32 weights used where they lie: y[p, r] = sum_k w[r * cols + k] x[p, k].
void panel_gemm_small(const float* w, std::int64_t rows, std::int64_t cols, const float* x, std::int64_t x_stride,
                      float* y, std::int64_t y_stride, std::int64_t panels);

}  // namespace xlstm::kernels
