// Scalar oracle: one token of a causal depthwise convolution.
#pragma once

#include <algorithm>
#include <cstdint>

namespace xlstm::kernels::reference {

/// Shifts x [channels] into history [kernel_size, channels] (oldest first, the current token last) and writes
/// y[c] = bias[c] + sum_j weight[c, j] history[j, c] (reference 3.2). kernel_size >= 1; y may be x.
template <class T>
void causal_conv_step(const T* weight, const T* bias, std::int64_t channels, std::int64_t kernel_size, const T* x,
                      T* history, T* y) {
  std::copy(history + channels, history + kernel_size * channels, history);
  std::copy_n(x, channels, history + (kernel_size - 1) * channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    T sum = bias[c];
    for (std::int64_t j = 0; j < kernel_size; ++j) sum += weight[c * kernel_size + j] * history[j * channels + c];
    y[c] = sum;
  }
}

}  // namespace xlstm::kernels::reference
