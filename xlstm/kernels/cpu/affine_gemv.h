// Matrix-vector products of decode with affine-quantised weights and float32 activations: weights are widened in
// registers, nothing else is rounded to fewer bits. quantized_gemv.h is the fast road.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/matrix_view.h"

namespace xlstm::kernels {

/// As gemv (gemv.h), with w quantised and x in its natural order.
void affine_gemv(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
                 float* y, std::int64_t y_stride);

}  // namespace xlstm::kernels
