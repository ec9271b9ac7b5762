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

/// Causal depthwise convolution over `tokens` tokens: y[ch] = bias + sum_j weight[ch, j] x[t - ks + 1 + j]. x panel p
/// starts at x + p * x_stride, y panel p at y + p * y_stride. history: the last ks inputs, oldest first,
/// `history_stride` floats apart (reference 3.7); advanced by `tokens`. y != x. series: causal_conv_series floats of
/// the calling thread.
void panel_causal_conv(const float* x, std::int64_t x_stride, std::int64_t channels, std::int64_t kernel_size,
                       const float* weight, const float* bias, std::int64_t tokens, float* history,
                       std::int64_t history_stride, float* y, std::int64_t y_stride, float* series);
constexpr std::int64_t causal_conv_series(std::int64_t kernel_size, std::int64_t tokens) {
  return kernel_size + num_panels(tokens) * kPanelWidth;
}

}  // namespace xlstm::kernels
