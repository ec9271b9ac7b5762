// Block-diagonal linear layers and causal convolutions of the research layout, on vectors and on panels.
#pragma once

#include <cstdint>

#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// y [blocks * out] = W x (+ b) for one vector.
void headwise(const model::HeadwiseLinear& layer, const float* x, float* y);
/// The same for one panel: rows of 16.
void headwise_panel(const model::HeadwiseLinear& layer, const float* x, float* y);

/// One token: shifts x [channels] into history [kernel_size, channels] and writes y = silu(conv).
void conv_step(const model::CausalConv& conv, const float* x, float* history, float* y);
/// A segment: y panels = silu(conv(x panels)); history advances by `tokens`. Channels are shared out over the pool.
void conv_panels(const Pass& pass, const model::CausalConv& conv, const float* x, std::int64_t x_stride,
                 std::int64_t tokens, float* history, float* y, std::int64_t y_stride);

}  // namespace xlstm::backend
