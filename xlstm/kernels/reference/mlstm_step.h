// Scalar oracle: one mLSTM token of one head, in the paper's order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "xlstm/kernels/reference/activations.h"

namespace xlstm::kernels::reference {

/// One head. xLSTM-large scales q by 1/sqrt(qk), the research layout scales k: its C and n hold scaled keys (Q33).
template <class T>
struct MlstmDims {
  std::int64_t qk = 0, v = 0;
  T eps = T(1e-6);
  T q_scale = 1, k_scale = 1;
};

template <class T>
MlstmDims<T> scaled_queries(std::int64_t qk, std::int64_t v, T eps) {
  return {qk, v, eps, 1 / std::sqrt(T(qk)), 1};
}

template <class T>
MlstmDims<T> scaled_keys(std::int64_t qk, std::int64_t v, T eps) {
  return {qk, v, eps, 1, 1 / std::sqrt(T(qk))};
}

/// The larger; a NaN on either side is the answer. Never below the lowest finite value, so that gates which are all
/// -inf leave exponents of -inf and not inf - inf.
template <class T>
T stabilizer(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  return std::max({a, b, std::numeric_limits<T>::lowest()});
}

/// c [qk, v], n [qk] and m are read and replaced; h [v] is written. q, k [qk], v [v]; i_raw and f_raw are soft-capped
/// already. Returns the denominator max(|q.n|, exp(-m')) + eps. Source: arXiv:2405.04517 section 2.3; the paper writes
/// C as v k^T, here as in the reference code (section 2.1) it is k v^T: row = key index, column = value index.
template <class T>
T mlstm_step(const MlstmDims<T>& d, const T* q, const T* k, const T* v, T i_raw, T f_raw, T* c, T* n, T& m, T* h) {
  const T log_f = log_sigmoid(f_raw);
  const T m_new = stabilizer(log_f + m, i_raw);  // m_t
  const T f = std::exp(log_f + m - m_new), i = std::exp(i_raw - m_new);
  T qn = 0;  // q_t . n_t
  std::fill_n(h, d.v, T(0));
  for (std::int64_t a = 0; a < d.qk; ++a) {
    const T qa = d.q_scale * q[a], ka = d.k_scale * k[a];
    n[a] = f * n[a] + i * ka;
    qn += qa * n[a];
    for (std::int64_t b = 0; b < d.v; ++b) {
      T& cell = c[a * d.v + b];
      cell = f * cell + i * ka * v[b];
      h[b] += qa * cell;
    }
  }
  const T denominator = std::max(std::abs(qn), std::exp(-m_new)) + d.eps;
  for (std::int64_t b = 0; b < d.v; ++b) h[b] /= denominator;
  m = m_new;
  return denominator;
}

}  // namespace xlstm::kernels::reference
