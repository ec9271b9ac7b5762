// Matrix products of prefill with affine-quantised weights and integer activations, over panels of 16 tokens. The
// arithmetic is that of quantized_gemv.h, one scale a group and token: sums of a group are exact, then multiplied by
// the token's scale and the row's. The biases come first, as a product of their own that has a column for each group.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/kernels/cpu/matrix_view.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/quantized_gemv.h"

namespace xlstm::kernels {

/// Rows of weights in one call at most, and bytes of the calling thread's scratch (aligned to 64): 192 rows of up
/// to 1024 unpacked bytes and their scales (220 KB) stay in the second-level cache, 16 KB of x in the first; biases
/// want more.
inline constexpr std::int64_t kQuantizedGemmRows = 192;
inline constexpr std::int64_t kQuantizedGemmScratch = std::int64_t{256} << 10;

/// Bytes of one quantised panel of `cols` features; a multiple of 64.
std::int64_t quantized_panel_bytes(const QuantizedFormat& format, std::int64_t cols);

/// Panel x [cols][16] -> out, aligned to 64 bytes. The same q and scales as quantize_vector gives for each token.
void quantize_panel(const QuantizedFormat& format, const float* x, std::int64_t cols, std::byte* out);

/// As panel_gemm (panel_gemm.h), with at most kQuantizedGemmRows rows and panel p of x as quantize_panel left it at
/// x + p * x_stride (bytes). The order of summation depends on w.cols, w.groups and the CPU target alone.
void quantized_gemm(const MatrixView& w, DType type, std::int64_t row_begin, std::int64_t row_end, const std::byte* x,
                    std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                    std::byte* scratch);

}  // namespace xlstm::kernels
