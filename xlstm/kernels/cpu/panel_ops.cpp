#include "xlstm/kernels/cpu/panel_ops.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/panel_ops.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using DP = hn::CappedTag<float, kPanelWidth>;
using VP = hn::Vec<DP>;
constexpr std::int64_t W = kPanelWidth;

// y[r] = (x[r] - mean) * scale * weight[r] + bias[r] in one group of lanes.
HWY_INLINE void write_normalized(const float* x, std::int64_t rows, VP mean, VP scale, const float* weight,
                                 const float* bias, float* y) {
  const DP d;
  for (std::int64_t r = 0; r < rows; ++r) {
    VP value = hn::Mul(hn::Sub(hn::LoadU(d, x + r * W), mean), scale);
    if (weight != nullptr) value = hn::Mul(value, hn::Set(d, weight[r]));
    if (bias != nullptr) value = hn::Add(value, hn::Set(d, bias[r]));
    hn::StoreU(value, d, y + r * W);
  }
}

void rms_norm_target(const float* x, std::int64_t rows, const float* weight, const float* bias, float eps, float* y) {
  const DP d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t lane = 0; lane < W; lane += lanes) {
    VP sum = hn::Zero(d), sum2 = hn::Zero(d);
    std::int64_t r = 0;
    for (; r + 2 <= rows; r += 2) {
      const VP a = hn::LoadU(d, x + r * W + lane), b = hn::LoadU(d, x + (r + 1) * W + lane);
      sum = hn::MulAdd(a, a, sum);
      sum2 = hn::MulAdd(b, b, sum2);
    }
    if (r < rows) {
      const VP a = hn::LoadU(d, x + r * W + lane);
      sum = hn::MulAdd(a, a, sum);
    }
    const VP mean = hn::Div(hn::Add(sum, sum2), hn::Set(d, static_cast<float>(rows)));
    const VP scale = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::Add(mean, hn::Set(d, eps))));
    write_normalized(x + lane, rows, hn::Zero(d), scale, weight, bias, y + lane);
  }
}

void group_norm_target(const float* x, std::int64_t rows, std::int64_t groups, const float* weight, const float* bias,
                       float eps, float* y) {
  const DP d;
  const std::int64_t size = rows / groups;
  const VP count = hn::Set(d, static_cast<float>(size));
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t row = g * size;
    for (std::int64_t lane = 0; lane < W; lane += lanes) {
      const float* group = x + row * W + lane;
      VP sum = hn::Zero(d), squares = hn::Zero(d);
      for (std::int64_t r = 0; r < size; ++r) sum = hn::Add(sum, hn::LoadU(d, group + r * W));
      const VP mean = hn::Div(sum, count);
      for (std::int64_t r = 0; r < size; ++r) {
        const VP centered = hn::Sub(hn::LoadU(d, group + r * W), mean);
        squares = hn::MulAdd(centered, centered, squares);
      }
      const VP scale = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::Add(hn::Div(squares, count), hn::Set(d, eps))));
      write_normalized(group, size, mean, scale, weight != nullptr ? weight + row : nullptr,
                       bias != nullptr ? bias + row : nullptr, y + row * W + lane);
    }
  }
}

void add_bias_target(float* x, std::int64_t rows, const float* bias) {
  const DP d;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t lane = 0; lane < W; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
      float* p = x + r * W + lane;
      hn::StoreU(hn::Add(hn::LoadU(d, p), hn::Set(d, bias[r])), d, p);
    }
  }
}

void add_scaled_rows_target(const float* x, std::int64_t rows, const float* weight, float* y) {
  const DP d;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t lane = 0; lane < W; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
      float* p = y + r * W + lane;
      hn::StoreU(hn::MulAdd(hn::Set(d, weight[r]), hn::LoadU(d, x + r * W + lane), hn::LoadU(d, p)), d, p);
    }
  }
}

void add_target(float* y, const float* x, std::int64_t size) {
  for_each_vector(size, [&](auto d, std::int64_t i)
                            HWY_ATTR { hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i); });
}

void multiply_target(float* y, const float* x, std::int64_t size) {
  for_each_vector(size, [&](auto d, std::int64_t i)
                            HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i); });
}

void sigmoid_gate_target(float* y, const float* gate, std::int64_t size) {
  for_each_vector(size, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(sigmoid(d, hn::LoadU(d, gate + i)), hn::LoadU(d, y + i)), d, y + i);
  });
}

void silu_gate_target(float* y, const float* gate, std::int64_t size) {
  for_each_vector(size, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::Mul(silu(d, hn::LoadU(d, gate + i)), hn::LoadU(d, y + i)), d, y + i);
  });
}

void silu_target(const float* x, std::int64_t size, float* y) {
  for_each_vector(size, [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(silu(d, hn::LoadU(d, x + i)), d, y + i); });
}

void soft_cap_target(float* x, std::int64_t size, float cap) {
  for_each_vector(
      size, [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(soft_cap(d, hn::LoadU(d, x + i), cap), d, x + i); });
}

void round_to_bfloat16_target(float* x, std::int64_t size) {
  for_each_vector(
      size, [&](auto d, std::int64_t i) HWY_ATTR { hn::StoreU(round_to_bfloat16(d, hn::LoadU(d, x + i)), d, x + i); });
}

void causal_conv_target(const float* x, std::int64_t x_stride, std::int64_t channels, std::int64_t kernel_size,
                        const float* weight, const float* bias, std::int64_t tokens, float* history,
                        std::int64_t history_stride, float* y, std::int64_t y_stride, float* series) {
  const DP d;
  const std::int64_t panels = num_panels(tokens);
  // series: the inputs of one channel in time order, kernel_size old ones first; a tap is then a shifted load. Of all
  // panels at once: a load that overlaps the stores just before it would wait for them.
  for (std::int64_t ch = 0; ch < channels; ++ch) {
    for (std::int64_t j = 0; j < kernel_size; ++j) series[j] = history[j * history_stride + ch];
    for (std::int64_t p = 0; p < panels; ++p) std::copy_n(x + p * x_stride + ch * W, W, series + kernel_size + p * W);
    for (std::int64_t p = 0; p < panels; ++p) {
      for (std::int64_t lane = 0; lane < W; lane += static_cast<std::int64_t>(hn::Lanes(d))) {
        VP sum = hn::Set(d, bias[ch]);
        for (std::int64_t j = 0; j < kernel_size; ++j) {
          const VP shifted = hn::LoadU(d, series + 1 + j + p * W + lane);
          sum = hn::MulAdd(hn::Set(d, weight[ch * kernel_size + j]), shifted, sum);
        }
        hn::StoreU(sum, d, y + p * y_stride + ch * W + lane);
      }
    }
    for (std::int64_t j = 0; j < kernel_size; ++j) history[j * history_stride + ch] = series[tokens + j];
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(rms_norm_target);
HWY_EXPORT(group_norm_target);
HWY_EXPORT(add_bias_target);
HWY_EXPORT(add_scaled_rows_target);
HWY_EXPORT(add_target);
HWY_EXPORT(multiply_target);
HWY_EXPORT(sigmoid_gate_target);
HWY_EXPORT(silu_gate_target);
HWY_EXPORT(silu_target);
HWY_EXPORT(soft_cap_target);
HWY_EXPORT(round_to_bfloat16_target);
HWY_EXPORT(causal_conv_target);

void panel_rms_norm(const float* x, std::int64_t rows, const float* weight, const float* bias, float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(rms_norm_target)(x, rows, weight, bias, eps, y);
}

void panel_group_norm(const float* x, std::int64_t rows, std::int64_t groups, const float* weight, const float* bias,
                      float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(group_norm_target)(x, rows, groups, weight, bias, eps, y);
}

void panel_add_bias(float* x, std::int64_t rows, const float* bias) {
  HWY_DYNAMIC_DISPATCH(add_bias_target)(x, rows, bias);
}

void panel_add_scaled_rows(const float* x, std::int64_t rows, const float* weight, float* y) {
  HWY_DYNAMIC_DISPATCH(add_scaled_rows_target)(x, rows, weight, y);
}

void add_in_place(float* y, const float* x, std::int64_t size) { HWY_DYNAMIC_DISPATCH(add_target)(y, x, size); }

void multiply_in_place(float* y, const float* x, std::int64_t size) {
  HWY_DYNAMIC_DISPATCH(multiply_target)(y, x, size);
}

void sigmoid_gate_in_place(float* y, const float* gate, std::int64_t size) {
  HWY_DYNAMIC_DISPATCH(sigmoid_gate_target)(y, gate, size);
}

void silu_gate_in_place(float* y, const float* gate, std::int64_t size) {
  HWY_DYNAMIC_DISPATCH(silu_gate_target)(y, gate, size);
}

void silu(const float* x, std::int64_t size, float* y) { HWY_DYNAMIC_DISPATCH(silu_target)(x, size, y); }

void soft_cap_in_place(float* x, std::int64_t size, float cap) { HWY_DYNAMIC_DISPATCH(soft_cap_target)(x, size, cap); }

void round_to_bfloat16_in_place(float* x, std::int64_t size) {
  HWY_DYNAMIC_DISPATCH(round_to_bfloat16_target)(x, size);
}

void panel_get_lane(const float* panel, std::int64_t rows, int lane, float* out) {
  for (std::int64_t r = 0; r < rows; ++r) out[r] = panel[r * kPanelWidth + lane];
}

void panel_set_lane(float* panel, std::int64_t rows, int lane, const float* values) {
  for (std::int64_t r = 0; r < rows; ++r) panel[r * kPanelWidth + lane] = values[r];
}

void panel_causal_conv(const float* x, std::int64_t x_stride, std::int64_t channels, std::int64_t kernel_size,
                       const float* weight, const float* bias, std::int64_t tokens, float* history,
                       std::int64_t history_stride, float* y, std::int64_t y_stride, float* series) {
  HWY_DYNAMIC_DISPATCH(causal_conv_target)
  (x, x_stride, channels, kernel_size, weight, bias, tokens, history, history_stride, y, y_stride, series);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
