// Affine-quantised weights in MLX's format, made and read back with the bits that MLX 0.32 gives them on a CPU.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/matrix_view.h"

namespace xlstm::kernels {

/// Quantises `count` neighbouring weights, a multiple of group_size, as mx::quantize does whatever their dtype was: in
/// float32, q from the scale before it is rounded to the dtype it is stored in. words [count * bits / 32], scales and
/// biases [count / group_size]. REQUIRES: finite w. Scales are not finite where the range of a group is not.
void affine_quantize(const float* w, std::int64_t count, int bits, std::int64_t group_size, std::uint32_t* words,
                     float* scales, float* biases);

/// Row `row` of a quantised matrix -> out [cols]: scale * q + bias, product and sum rounded to float32 each. What
/// mx::dequantize gives for the same scales and biases in float32 (in 16 bits it rounds both steps to 16 bits).
void affine_dequantize(const MatrixView& w, std::int64_t row, float* out);

}  // namespace xlstm::kernels
