// Linear layers over a batch of vectors (decode) or panels of tokens (prefill), shared out over the work pool.
#pragma once

#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/pass.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

enum class Output { store, add };

/// y = W x + b, or y += W x + b. With `gate`: y = silu(gate x) * (W x), the FFN's first half; gate_y is its room.
struct Projection {
  const model::Linear* linear = nullptr;
  float* y = nullptr;
  std::int64_t y_stride = 0;  // decode: between rows of the batch; prefill: between panels
  Output output = Output::store;
  const model::Linear* gate = nullptr;
  float* gate_y = nullptr;  // strides as y
  bool exact = false;  // float32 activations whatever the run uses: the mLSTM gates, whose errors are exponentiated
};

inline constexpr std::size_t kMaxProjections = 8;  // of one call

/// All projections of the same x [batch, in_dim], in one parallel region.
void project(const Pass& pass, const float* x, std::int64_t batch, std::span<const Projection> projections);

/// The same over panels: panel p of x starts at x + p * x_stride.
void project_panels(const Pass& pass, const float* x, std::int64_t x_stride, std::int64_t panels,
                    std::span<const Projection> projections);

}  // namespace xlstm::backend
