// Scalar oracle: RMSNorm and LayerNorm. weight and bias may be null: scale 1, shift 0.
#pragma once

#include <cmath>
#include <cstdint>

namespace xlstm::kernels::reference {

/// y = x / sqrt(mean(x^2) + eps) * weight (+ bias) (reference 1.5). y may be x.
template <class T>
void rms_norm(const T* x, std::int64_t size, const T* weight, const T* bias, T eps, T* y) {
  T squares = 0;
  for (std::int64_t j = 0; j < size; ++j) squares += x[j] * x[j];
  const T root = std::sqrt(squares / T(size) + eps);
  for (std::int64_t j = 0; j < size; ++j) {
    y[j] = x[j] / root * (weight != nullptr ? weight[j] : T(1)) + (bias != nullptr ? bias[j] : T(0));
  }
}

/// y = (x - mean) / sqrt(var + eps) * weight (+ bias) in each of `groups` equal parts, variance biased: LayerNorm when
/// groups is 1, the multi-head norm otherwise (reference 1.5, 3.2). y may be x.
template <class T>
void group_norm(const T* x, std::int64_t size, std::int64_t groups, const T* weight, const T* bias, T eps, T* y) {
  const std::int64_t width = size / groups;
  for (std::int64_t first = 0; first < groups * width; first += width) {
    T mean = 0, variance = 0;
    for (std::int64_t j = first; j < first + width; ++j) mean += x[j] / T(width);
    for (std::int64_t j = first; j < first + width; ++j) variance += (x[j] - mean) * (x[j] - mean) / T(width);
    const T root = std::sqrt(variance + eps);
    for (std::int64_t j = first; j < first + width; ++j) {
      y[j] = (x[j] - mean) / root * (weight != nullptr ? weight[j] : T(1)) + (bias != nullptr ? bias[j] : T(0));
    }
  }
}

}  // namespace xlstm::kernels::reference
