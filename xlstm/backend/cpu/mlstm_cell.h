// The mLSTM cell of a whole layer, shared by both architectures: heads and slices of C over the work pool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/backend/cpu/blocks.h"

namespace xlstm::backend {

/// Decode. Row b of q, k [batch, qk], v [batch, v], i, f [batch, NH] at stride floats; q or k carries the scale
/// already. The state is the first three tensors (C, n, m) of block `index`; with a ring C stays as it was, and the
/// ring keeps what the rows add to it. h [batch, v] is written.
struct CellBatch {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* i = nullptr;
  const float* f = nullptr;
  std::int64_t qk_stride = 0, v_stride = 0, gate_stride = 0;
  float* h = nullptr;
  std::int64_t h_stride = 0;
};
void mlstm_cell_decode(const Pass& pass, std::size_t index, const DecodeBatch& batch, const CellBatch& cell);

/// Prefill. Panel pointers and strides as in kernels::MlstmChunkwise, first row of head 0.
struct CellPanels {
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* i = nullptr;
  const float* f = nullptr;
  std::int64_t q_stride = 0, k_stride = 0, v_stride = 0, gate_stride = 0;
  float q_scale = 1, k_scale = 1;
  float* h = nullptr;
  std::int64_t h_stride = 0;
};
void mlstm_cell_prefill(const Pass& pass, std::size_t index, const PrefillSegment& segment, const CellPanels& cell);

}  // namespace xlstm::backend
