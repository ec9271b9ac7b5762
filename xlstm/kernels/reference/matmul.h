// Scalar oracle: linear layers.
#pragma once

#include <cstdint>

namespace xlstm::kernels::reference {

/// y [rows] = W x (+ bias) with W [rows, cols] row-major; bias may be null.
template <class T>
void matvec(const T* w, std::int64_t rows, std::int64_t cols, const T* x, const T* bias, T* y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T sum = bias != nullptr ? bias[r] : T(0);
    for (std::int64_t c = 0; c < cols; ++c) sum += w[r * cols + c] * x[c];
    y[r] = sum;
  }
}

/// Block-diagonal layer (reference 3.2): y [blocks * out] from x [blocks * in] and W [blocks, out, in]; bias
/// [blocks * out] or null. Block b sees its own part of x alone.
template <class T>
void headwise(const T* w, std::int64_t blocks, std::int64_t out, std::int64_t in, const T* x, const T* bias, T* y) {
  for (std::int64_t b = 0; b < blocks; ++b) {
    matvec(w + b * out * in, out, in, x + b * in, bias != nullptr ? bias + b * out : nullptr, y + b * out);
  }
}

}  // namespace xlstm::kernels::reference
