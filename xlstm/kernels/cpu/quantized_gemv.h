// Matrix-vector products of decode with affine-quantised weights and integer activations: every weight read once, where
// it is stored; sums of a group in int32, sums over groups in float32.
//
//   y[r] = sum_g scale_w[r, g] * s[g] * (sum_{c in g} q_w[r, c] * q_x[c]) + bias_w[r, g] * s[g] * (sum_{c in g} q_x[c])
//
// with x[c] ~ s[g] * q_x[c]. The bias term takes the sum of the QUANTISED activations: the exact one would make the
// error two to three times larger.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/kernels/cpu/matrix_view.h"

namespace xlstm::kernels {

/// How activations are quantised for a product: symmetric, one scale a group, `type` int8 or int16 (q in [-127, 127] or
/// [-32767, 32767], round to nearest even). The order in memory depends on the weights' bits and on the CPU target.
struct QuantizedFormat {
  DType type = DType::int8;
  int weight_bits = 4;
  std::int64_t group_size = 64;
  friend bool operator==(const QuantizedFormat&, const QuantizedFormat&) = default;
};

/// Bytes of one vector of `cols`; a multiple of 64.
std::int64_t quantized_vector_bytes(const QuantizedFormat& format, std::int64_t cols);

/// x [cols] -> out, aligned to 64 bytes. A group with a NaN or an infinity becomes NaN (its scale). REQUIRES:
/// group_size divides cols.
void quantize_vector(const QuantizedFormat& format, const float* x, std::int64_t cols, std::byte* out);

/// y[b, r - rows.begin] for r in rows, b in [0, batch). Row b of x starts at x + b * x_stride (bytes, a
/// multiple of 64), as quantize_vector leaves it for format {type, w.groups.bits, w.groups.group_size}.
/// Batch invariance: the bits of y[b, r] depend on x row b, w row r and the CPU target alone.
void quantized_gemv(const MatrixView& w, DType type, const RowRange& rows, const std::byte* x, std::int64_t x_stride,
                    std::int64_t batch, float* y, std::int64_t y_stride);

}  // namespace xlstm::kernels
