#include "xlstm/backend/cpu/headwise.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t W = kernels::kPanelWidth;
// Blocks narrower than this (the usual qkv_proj_blocksize is 4) are cheaper as plain loops than as calls of the gemv
// kernel.
constexpr std::int64_t kGemvWidth = 16;
constexpr std::int64_t kConvChannels = 64;  // channels per task

void narrow_block(const float* w, std::int64_t out, std::int64_t in, const float* x, float* y) {
  for (std::int64_t r = 0; r < out; ++r) {
    float sum = 0;
    for (std::int64_t c = 0; c < in; ++c) sum += w[r * in + c] * x[c];
    y[r] = sum;
  }
}

}  // namespace

void headwise(const model::HeadwiseLinear& layer, const float* x, float* y) {
  const std::int64_t out = layer.out_dim, in = layer.in_dim;
  for (std::int64_t b = 0; b < layer.num_blocks; ++b) {
    const float* w = layer.weight.data() + b * out * in;
    if (in < kGemvWidth) {
      narrow_block(w, out, in, x + b * in, y + b * out);
    } else {
      kernels::gemv({DType::float32, w, out, in}, {0, out}, x + b * in, in, 1, y + b * out, out);
    }
  }
  if (!layer.bias.empty()) kernels::add_in_place(y, layer.bias.data(), layer.num_blocks * out);
}

void headwise_panel(const model::HeadwiseLinear& layer, const float* x, float* y) {
  const std::int64_t out = layer.out_dim, in = layer.in_dim;
  for (std::int64_t b = 0; b < layer.num_blocks; ++b) {
    kernels::panel_gemm_small(layer.weight.data() + b * out * in, out, in, x + b * in * W, 0, y + b * out * W, 0, 1);
  }
  if (!layer.bias.empty()) kernels::panel_add_bias(y, layer.num_blocks * out, layer.bias.data());
}

void conv_step(const model::CausalConv& conv, const float* x, float* history, float* y) {
  const std::int64_t channels = conv.channels, taps = conv.kernel_size;
  std::memmove(history, history + channels, static_cast<std::size_t>((taps - 1) * channels) * sizeof(float));
  std::copy_n(x, channels, history + (taps - 1) * channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    float sum = conv.bias[static_cast<std::size_t>(c)];
    for (std::int64_t j = 0; j < taps; ++j) sum += conv.weight.data()[c * taps + j] * history[j * channels + c];
    y[c] = sum;
  }
  kernels::silu(y, channels, y);
}

void conv_panels(const Pass& pass, const model::CausalConv& conv, const float* x, std::int64_t x_stride,
                 std::int64_t tokens, float* history, float* y, std::int64_t y_stride) {
  const std::int64_t tasks = (conv.channels + kConvChannels - 1) / kConvChannels;
  pass.pool.parallel_for(tasks, [&](std::int64_t task) {
    thread_local std::vector<float> series;
    series.resize(static_cast<std::size_t>(kernels::causal_conv_series(conv.kernel_size, tokens)));
    const std::int64_t first = task * kConvChannels;
    const std::int64_t channels = std::min(kConvChannels, conv.channels - first);
    float* const out = y + first * W;
    kernels::panel_causal_conv(x + first * W, x_stride, channels, conv.kernel_size,
                               conv.weight.data() + first * conv.kernel_size, conv.bias.data() + first, tokens,
                               history + first, conv.channels, out, y_stride, series.data());
    for (std::int64_t p = 0; p * W < tokens; ++p) kernels::silu(out + p * y_stride, channels * W, out + p * y_stride);
  });
}

}  // namespace xlstm::backend
