// Scalar oracle: one sLSTM token of one head, and the plain LSTM that the same layer can hold (reference 3.4).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "xlstm/kernels/reference/activations.h"
#include "xlstm/kernels/reference/matmul.h"

namespace xlstm::kernels::reference {

/// Gates of one unit, recurrent part and bias included.
template <class T>
struct SlstmGates {
  T i = 0, f = 0, z = 0, o = 0;
};

/// min(1, exp(x - m)), and 1 when x is m: also where both are -inf.
template <class T>
T stabilized_exp(T x, T m) {
  return x == m ? T(1) : std::min(std::exp(x - m), T(1));
}

/// One unit; y, c, n, m are replaced. A unit with n = 0 is fresh, whatever its neighbours are (Q16: as CUDA does): its
/// stabiliser is its own input gate.
template <class T>
void slstm_unit(const SlstmGates<T>& g, T& y, T& c, T& n, T& m) {
  const T kept = m + log_sigmoid(g.f);
  const T m_new = n == 0 ? g.i : std::max(g.i, kept);
  const T input = stabilized_exp(g.i, m_new), forget = stabilized_exp(kept, m_new);
  c = forget * c + input * std::tanh(g.z);
  n = forget * n + input;
  m = m_new;
  y = sigmoid(g.o) * c / n;
}

/// One unit of the variant function = "lstm".
template <class T>
void lstm_unit(const SlstmGates<T>& g, T& y, T& c) {
  c = sigmoid(g.f) * c + sigmoid(g.i) * std::tanh(g.z);
  y = sigmoid(g.o) * std::tanh(c);
}

/// raw + R y + bias for all units of one head: raw, bias and the result [4, dim] in gate order i, f, z, o; recurrent
/// [4, dim(out), dim(in)]; y [dim] is the output of the token before.
template <class T>
std::vector<T> slstm_gates(std::int64_t dim, const T* raw, const T* recurrent, const T* bias, const T* y) {
  std::vector<T> gates(static_cast<std::size_t>(4 * dim));
  matvec(recurrent, 4 * dim, dim, y, bias, gates.data());
  for (std::int64_t r = 0; r < 4 * dim; ++r) gates[static_cast<std::size_t>(r)] += raw[r];
  return gates;
}

template <class T>
SlstmGates<T> slstm_gates_of_unit(const std::vector<T>& gates, std::int64_t unit) {
  const std::size_t dim = gates.size() / 4, u = static_cast<std::size_t>(unit);
  return {gates[u], gates[dim + u], gates[2 * dim + u], gates[3 * dim + u]};
}

/// One head, one token: state rows y, c, n, m [dim] are read and replaced.
template <class T>
void slstm_step(std::int64_t dim, const T* raw, const T* recurrent, const T* bias, T* y, T* c, T* n, T* m) {
  const std::vector<T> gates = slstm_gates(dim, raw, recurrent, bias, y);
  for (std::int64_t u = 0; u < dim; ++u) slstm_unit(slstm_gates_of_unit(gates, u), y[u], c[u], n[u], m[u]);
}

/// The variant function = "lstm": state rows y, c.
template <class T>
void lstm_step(std::int64_t dim, const T* raw, const T* recurrent, const T* bias, T* y, T* c) {
  const std::vector<T> gates = slstm_gates(dim, raw, recurrent, bias, y);
  for (std::int64_t u = 0; u < dim; ++u) lstm_unit(slstm_gates_of_unit(gates, u), y[u], c[u]);
}

}  // namespace xlstm::kernels::reference
