// Scalar oracle: affine-quantised weights and group-quantised activations.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "xlstm/kernels/cpu/matrix_view.h"

namespace xlstm::kernels::reference {

/// The stored q of a quantised matrix.
inline std::uint32_t affine_q(const MatrixView& w, std::int64_t row, std::int64_t col) {
  const std::int64_t per_word = 32 / w.groups.bits;
  std::uint32_t word = 0;
  std::memcpy(&word, static_cast<const std::byte*>(w.data) + row * w.row_bytes() + col / per_word * 4, sizeof(word));
  return word >> (col % per_word * w.groups.bits) & ((1u << w.groups.bits) - 1);
}

/// Element `index` of the scales or biases.
inline float affine_parameter(const MatrixView& w, const void* values, std::int64_t index) {
  float value = 0;
  widen_to_float32(
      w.groups.dtype,
      static_cast<const std::byte*>(values) + index * static_cast<std::int64_t>(dtype_size(w.groups.dtype)), 1, &value);
  return value;
}

/// scale * q + bias, in double: exact but for the last sum.
inline double affine_value(const MatrixView& w, std::int64_t row, std::int64_t col) {
  const std::int64_t group = row * (w.cols / w.groups.group_size) + col / w.groups.group_size;
  return static_cast<double>(affine_parameter(w, w.groups.scales, group)) * affine_q(w, row, col) +
         static_cast<double>(affine_parameter(w, w.groups.biases, group));
}

/// Quantised weights: q packed as MatrixView has them, one scale and one bias a group, before they are rounded.
struct AffineGroups {
  std::vector<std::uint32_t> words;
  std::vector<float> scales, biases;
};

/// Appends one group as mx::quantize makes it, in float32 whatever the dtype of the weights. The edge of larger
/// magnitude is the bias and so is met exactly; then the scale is bent until 0 is met exactly as well.
inline void affine_quantize(const float* w, std::int64_t size, int bits, AffineGroups& out) {
  const auto largest_q = static_cast<float>((1 << bits) - 1);
  const auto [least, most] = std::minmax_element(w, w + size);
  const bool rising = std::abs(*least) > std::abs(*most);
  const float step = std::max((*most - *least) / largest_q, 1e-7f), edge = rising ? *least : *most;
  float scale = rising ? step : -step, bias = 0;
  const float q_of_zero = std::nearbyint(edge / scale);
  if (q_of_zero != 0) {
    scale = edge / q_of_zero;
    bias = edge;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    if (i * bits % 32 == 0) out.words.push_back(0);
    const float q = std::clamp(std::nearbyint((w[i] - bias) / scale), 0.0f, largest_q);
    out.words.back() |= static_cast<std::uint32_t>(q) << i * bits % 32;
  }
  out.scales.push_back(scale);
  out.biases.push_back(bias);
}

/// x ~ scale[group] * q. With limit = 127 (int8) or 32767 (int16): scale = max |x| / limit in float32, q = x * (limit /
/// max |x|) to the nearest, ties to even. A group of zeros has scale 0 and q 0; one with a NaN or an infinity has scale
/// NaN and q 0.
struct QuantizedActivations {
  std::vector<std::int32_t> q;
  std::vector<float> scale;
};

inline QuantizedActivations quantize_activations(DType type, std::int64_t group_size, const float* x,
                                                 std::int64_t cols) {
  const float limit = type == DType::int8 ? 127.0f : 32767.0f;
  QuantizedActivations out;
  for (std::int64_t begin = 0; begin < cols; begin += group_size) {
    float largest = 0;
    bool finite = true;
    for (std::int64_t c = begin; c < begin + group_size; ++c) {
      finite = finite && std::isfinite(x[c]);
      largest = std::max(largest, std::abs(x[c]));
    }
    // Below this the factor would overflow; such numbers are 0 beside any others.
    const bool zero = finite && largest < limit * std::numeric_limits<float>::min();
    out.scale.push_back(!finite ? std::numeric_limits<float>::quiet_NaN() : zero ? 0 : largest / limit);
    for (std::int64_t c = begin; c < begin + group_size; ++c) {
      const bool used = finite && !zero;
      out.q.push_back(used ? static_cast<std::int32_t>(std::nearbyint(x[c] * (limit / largest))) : 0);
    }
  }
  return out;
}

}  // namespace xlstm::kernels::reference
