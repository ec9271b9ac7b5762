// Matrix-vector products for decode: every weight read once, in place, in its stored dtype; sums in float32.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"
#include "xlstm/kernels/cpu/matrix_view.h"

namespace xlstm::kernels {

/// y[b, r - rows.begin] = sum_c w[r, c] * x[b, c] for r in rows, b in [0, batch).
/// x: as gemv_prepare leaves it for w.dtype; row b starts at x + b * x_stride; y likewise (y_stride).
/// Batch invariance: the order of summation of y[b, r] depends on cols, the dtype and the CPU target alone.
void gemv(const MatrixView& w, const RowRange& rows, const float* x, std::int64_t x_stride, std::int64_t batch,
          float* y, std::int64_t y_stride);

/// bfloat16 weights are unpacked two by two (even and odd columns), so x is put in that order once: out [cols].
/// Other dtypes: a copy. out != x.
void gemv_prepare(DType dtype, const float* x, std::int64_t cols, float* out);

}  // namespace xlstm::kernels
