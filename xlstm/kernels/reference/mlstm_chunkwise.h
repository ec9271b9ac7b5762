// Scalar oracle: the mLSTM of one head over a chunk of tokens, all at once (reference section 2.3).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "xlstm/kernels/reference/mlstm_step.h"

namespace xlstm::kernels::reference {

/// One chunk of `tokens`. q, k [tokens, qk], v, h [tokens, v], i_raw, f_raw [tokens], soft-capped. c [qk, v], n [qk]
/// and m are read and replaced; h is written. Equals mlstm_step token by token in real arithmetic, m and eps included.
/// D_tj = b_t - b_j + i_j is summed from j upwards to t and never subtracted, so f_raw = -inf forgets and is no NaN.
template <class T>
void mlstm_chunk(const MlstmDims<T>& d, std::int64_t tokens, const T* q, const T* k, const T* v, const T* i_raw,
                 const T* f_raw, T* c, T* n, T& m, T* h) {
  const auto dot = [&](const T* a, const T* b) {
    T sum = 0;
    for (std::int64_t r = 0; r < d.qk; ++r) sum += a[r] * b[r];
    return sum;
  };
  std::vector<T> key_log_weight(static_cast<std::size_t>(tokens));  // D_tj of the current t; after the last one: a_j
  T carried = m;                                                    // b_t + M
  T m_t = m;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const T log_f = log_sigmoid(f_raw[t]);
    carried += log_f;
    for (std::int64_t j = 0; j < t; ++j) key_log_weight[static_cast<std::size_t>(j)] += log_f;
    key_log_weight[static_cast<std::size_t>(t)] = i_raw[t];
    m_t = carried;
    for (std::int64_t j = 0; j <= t; ++j) m_t = stabilizer(m_t, key_log_weight[static_cast<std::size_t>(j)]);

    const T* qt = q + t * d.qk;
    T* ht = h + t * d.v;
    const T beta = std::exp(carried - m_t) * d.q_scale;
    T qn = beta * dot(qt, n);
    for (std::int64_t b = 0; b < d.v; ++b) {
      ht[b] = 0;
      for (std::int64_t a = 0; a < d.qk; ++a) ht[b] += beta * qt[a] * c[a * d.v + b];
    }
    for (std::int64_t j = 0; j <= t; ++j) {
      const T weight = std::exp(key_log_weight[static_cast<std::size_t>(j)] - m_t);
      const T p = d.q_scale * d.k_scale * dot(qt, k + j * d.qk) * weight;
      qn += p;
      for (std::int64_t b = 0; b < d.v; ++b) ht[b] += p * v[j * d.v + b];
    }
    const T denominator = std::max(std::abs(qn), std::exp(-m_t)) + d.eps;
    for (std::int64_t b = 0; b < d.v; ++b) ht[b] /= denominator;
  }
  const T decay = std::exp(carried - m_t);  // m_t of the last token is M'
  for (std::int64_t a = 0; a < d.qk; ++a) {
    n[a] *= decay;
    for (std::int64_t b = 0; b < d.v; ++b) c[a * d.v + b] *= decay;
    for (std::int64_t j = 0; j < tokens; ++j) {
      const T ka = std::exp(key_log_weight[static_cast<std::size_t>(j)] - m_t) * d.k_scale * k[j * d.qk + a];
      n[a] += ka;
      for (std::int64_t b = 0; b < d.v; ++b) c[a * d.v + b] += ka * v[j * d.v + b];
    }
  }
  m = m_t;
}

/// A sequence, chunk by chunk: `tokens` in chunks of chunk_size >= 1, the last one as short as it comes out.
template <class T>
void mlstm_chunkwise(const MlstmDims<T>& d, std::int64_t tokens, std::int64_t chunk_size, const T* q, const T* k,
                     const T* v, const T* i_raw, const T* f_raw, T* c, T* n, T& m, T* h) {
  for (std::int64_t t = 0; t < tokens; t += chunk_size) {
    mlstm_chunk(d, std::min(chunk_size, tokens - t), q + t * d.qk, k + t * d.qk, v + t * d.v, i_raw + t, f_raw + t, c,
                n, m, h + t * d.v);
  }
}

}  // namespace xlstm::kernels::reference
