// Norms, gates and copies on one panel of 16 tokens ([rows][16], see panel.h). Weights are per row; null means none.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::kernels {

/// y = x / sqrt(mean(x^2) + eps) * weight (+ bias) (reference 1.5). y may be x.
void panel_rms_norm(const float* x, std::int64_t rows, const float* weight, const float* bias, float eps, float* y);

/// y = (x - mean) / sqrt(var + eps) * weight (+ bias) for each of `groups` groups of rows / groups rows: LayerNorm when
/// groups is 1, the multi-head norm otherwise. y may be x.
void panel_group_norm(const float* x, std::int64_t rows, std::int64_t groups, const float* weight, const float* bias,
                      float eps, float* y);

/// y[r] = x[r] + bias[r]
void panel_add_bias(float* x, std::int64_t rows, const float* bias);
/// y += x, y *= x, elementwise over `size` floats (whole panels may be given at once).
void add_in_place(float* y, const float* x, std::int64_t size);
void multiply_in_place(float* y, const float* x, std::int64_t size);
/// y = sigmoid(gate) * y
void sigmoid_gate_in_place(float* y, const float* gate, std::int64_t size);
/// y = silu(gate) * y
void silu_gate_in_place(float* y, const float* gate, std::int64_t size);
/// y = silu(x)
void silu(const float* x, std::int64_t size, float* y);
/// x = cap * tanh(x / cap)
void soft_cap_in_place(float* x, std::int64_t size, float cap);
/// x rounded to bfloat16: to the nearest, ties to even; a NaN stays one
void round_to_bfloat16_in_place(float* x, std::int64_t size);
/// y[r] += weight[r] * x[r], row by row
void panel_add_scaled_rows(const float* x, std::int64_t rows, const float* weight, float* y);

/// One lane of a panel <-> a vector of `rows` floats.
void panel_get_lane(const float* panel, std::int64_t rows, int lane, float* out);
void panel_set_lane(float* panel, std::int64_t rows, int lane, const float* values);

/// Causal depthwise convolution over a panel, `valid` tokens of it: y[ch] = bias + sum_j weight[ch, j] x[t - ks + 1 +
/// j]. history: the last ks inputs, oldest first, `history_stride` floats apart (reference 3.7); advanced by `valid`
/// tokens. y != x. series: kernel_size + 16 floats of the calling thread.
void panel_causal_conv(const float* x, std::int64_t channels, std::int64_t kernel_size, const float* weight,
                       const float* bias, std::int64_t valid, float* history, std::int64_t history_stride, float* y,
                       float* series);

}  // namespace xlstm::kernels
