// One mLSTM decode step of one head (reference section 2.1), C read and written once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "xlstm/kernels/cpu/matrix_memory.h"

namespace xlstm::kernels {

/// m' = max(carried, i_raw), where carried is log f + m. A NaN on either side is the answer. Finite even when every
/// gate is -inf: the smallest float keeps the exponents exact zeros, where -inf would make them inf - inf.
inline float mlstm_stabilizer(float carried, float i_raw) {
  if (std::isnan(carried) || std::isnan(i_raw)) return carried + i_raw;
  return std::max({carried, i_raw, -3.0e38f});
}

/// Activated gates of one head for one token.
struct MlstmGates {
  float forget = 1;  // F = exp(lf + m - m')
  float input = 0;   // I = exp(i - m')
  float m = 0;       // m'
};

/// i_raw and f_raw are soft-capped already; m is the old stabiliser. m stays finite even when every gate is -inf.
MlstmGates mlstm_gates(float i_raw, float f_raw, float m);

/// n = F n + I k over [qk]; returns q . n. q carries the scale.
float mlstm_step_normalizer(const MlstmGates& gates, const float* q, const float* k, std::int64_t qk, float* n);

/// max(|q.n|, exp(-m')) + eps
float mlstm_denominator(float qn, float m, float eps);

/// Columns [0, width) of C [qk, v_stride] starting at `c`: C = F C + I k v^T; h = q^T C. Each column's sum runs over
/// the rows in order, so any cut into slices gives the same bits. h sees the new C before it is rounded to c.dtype.
void mlstm_step_slice(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t qk,
                      std::int64_t width, std::int64_t v_stride, MatrixMemory c, float* h);

}  // namespace xlstm::kernels
