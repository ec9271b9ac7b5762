// Linear layers over a batch of vectors (decode) or panels of tokens (prefill), shared out over the work pool.
#pragma once

#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/workspace.h"
#include "xlstm/backend/profile.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

/// What every block of one forward pass works with.
struct Pass {
  const model::Model& model;
  ThreadPool& pool;
  Workspace& workspace;
  Profile* profile = nullptr;

  /// What was done since the last lap was `op`; a test of a pointer when nobody asks.
  void lap(model::Op op) const noexcept {
    if (profile != nullptr) profile->lap(op);
  }
};

/// Vectors of a batch: row b at natural + b * size. `permuted` is the same in the order that bfloat16 weights want.
struct Vectors {
  float* natural = nullptr;
  float* permuted = nullptr;
  std::int64_t size = 0;
};

enum class Output { store, add };

/// y = W x + b, or y += W x + b. With `gate`: y = silu(gate x) * (W x), the FFN's first half; gate_y is its room.
struct Projection {
  const model::Linear* linear = nullptr;
  float* y = nullptr;
  std::int64_t y_stride = 0;  // decode: between rows of the batch; prefill: between panels
  Output output = Output::store;
  const model::Linear* gate = nullptr;
  float* gate_y = nullptr;  // strides as y
};

kernels::MatrixView matrix(const model::Linear& linear);

/// Room for `batch` vectors of `size`.
Vectors take_vectors(const Pass& pass, std::int64_t batch, std::int64_t size);
/// Fills `permuted` from `natural`.
void prepare(const Pass& pass, const Vectors& x, std::int64_t batch);

/// All projections of the same x in one parallel region.
void project(const Pass& pass, const Vectors& x, std::int64_t batch, std::span<const Projection> projections);

/// The same over panels: panel p of x starts at x + p * x_stride.
void project_panels(const Pass& pass, const float* x, std::int64_t x_stride, std::int64_t panels,
                    std::span<const Projection> projections);

}  // namespace xlstm::backend
