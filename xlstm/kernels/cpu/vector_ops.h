// Norms and gates on one token's vector, for decode. Sums run in an order that depends on the size and the CPU target
// alone.
#pragma once

#include <cstdint>

namespace xlstm::kernels {

/// y = x / sqrt(mean(x^2) + eps) * weight (+ bias); weight and bias may be null. y may be x.
void rms_norm(const float* x, std::int64_t size, const float* weight, const float* bias, float eps, float* y);

/// LayerNorm of each of `groups` equal parts: y = (x - mean) / sqrt(var + eps) * weight (+ bias); weight null: scale 1.
/// y may be x.
void group_norm(const float* x, std::int64_t size, std::int64_t groups, const float* weight, const float* bias,
                float eps, float* y);

/// y = x * scale
void scale_in_place(float* x, std::int64_t size, float scale);

/// sLSTM pointwise cell (reference 3.4) over `size` units: raw gates i, f, z, o (recurrent part and bias already
/// added); state rows y, c, n, m are read and replaced. A unit with n = 0 is fresh.
void slstm_pointwise(const float* i, const float* f, const float* z, const float* o, std::int64_t size, float* y,
                     float* c, float* n, float* m);

/// The plain LSTM variant: state y, c.
void lstm_pointwise(const float* i, const float* f, const float* z, const float* o, std::int64_t size, float* y,
                    float* c);

}  // namespace xlstm::kernels
