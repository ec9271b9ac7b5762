// One mLSTM decode step of one head (reference section 2.1), C read and written once.
#pragma once

#include <cstdint>

namespace xlstm::kernels {

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
/// the rows in order, so any cut into slices gives the same bits.
void mlstm_step_slice(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t qk,
                      std::int64_t width, std::int64_t v_stride, float* c, float* h);

}  // namespace xlstm::kernels
