// Scalar oracle: the functions of one value that gates and feed-forward layers use.
#pragma once

#include <algorithm>
#include <cmath>

namespace xlstm::kernels::reference {

/// 1 / (1 + exp(-x)), from the side that cannot overflow.
template <class T>
T sigmoid(T x) {
  const T e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/// log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|)): never through sigmoid, which loses all digits near 1 (Q4).
template <class T>
T log_sigmoid(T x) {
  return std::min(x, T(0)) - std::log1p(std::exp(-std::abs(x)));
}

template <class T>
T silu(T x) {
  return x * sigmoid(x);
}

/// The exact form, with erf.
template <class T>
T gelu(T x) {
  return x / 2 * (1 + std::erf(x / std::sqrt(T(2))));
}

/// Keeps NaN.
template <class T>
T relu(T x) {
  return x < 0 ? 0 : x;
}

/// scale * (x above zero, alpha * (exp(x) - 1) below): arXiv:1706.02515, whose constants make it keep mean 0 and
/// variance 1.
template <class T>
T selu(T x) {
  const T alpha = T(1.6732632423543772848170429916717L), scale = T(1.0507009873554804934193349852946L);
  return scale * (x < 0 ? alpha * std::expm1(x) : x);
}

/// cap * tanh(x / cap): the caps of gates and logits (reference 0.1).
template <class T>
T soft_cap(T x, T cap) {
  return cap * std::tanh(x / cap);
}

}  // namespace xlstm::kernels::reference
