#include "xlstm/backend/cpu/mlstm_cell.h"

#include <algorithm>

#include "xlstm/backend/cpu/ring.h"
#include "xlstm/kernels/cpu/bfloat16.h"
#include "xlstm/kernels/cpu/mlstm_chunkwise.h"
#include "xlstm/kernels/cpu/mlstm_step.h"
#include "xlstm/kernels/cpu/mlstm_steps.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

// Columns of C per task: 512 B of each float32 row, a few cache lines in a stream, enough tasks for many cores.
constexpr std::int64_t kSliceWidth = 128;

/// Scratch of the calling thread for the chunkwise cell; grows to the largest head seen.
float* chunk_scratch(std::size_t size) {
  thread_local AlignedFloats scratch;
  if (scratch.size() < size) scratch = AlignedFloats(size);
  return scratch.data();
}

/// `args` without its C, which is read and replaced in the type it is kept in: a bfloat16 one is float32 from the
/// segment's first token to its last, and rounded once.
void chunkwise(kernels::MlstmChunkwise args, const kernels::MatrixMemory& c) {
  const std::size_t kernel_scratch = kernels::mlstm_chunkwise_scratch(args.qk, args.v);
  if (c.dtype == DType::float32) {
    args.c = static_cast<float*>(c.data);
    kernels::mlstm_chunkwise(args, chunk_scratch(kernel_scratch));
    return;
  }
  const std::int64_t size = args.qk * args.v;
  auto* kept = static_cast<std::uint16_t*>(c.data);
  float* scratch = chunk_scratch(kernel_scratch + static_cast<std::size_t>(size));
  args.c = scratch + kernel_scratch;
  kernels::widen_bfloat16(kept, size, args.c);
  kernels::mlstm_chunkwise(args, scratch);
  kernels::narrow_to_bfloat16(args.c, size, kept);
}

}  // namespace

float* state_tensor(const model::Model& model, const StateSlot& slot, std::size_t block, std::size_t index) {
  return slot.floats(model.state_spec.first_tensor[block] + index);
}

kernels::MatrixMemory matrix_memory(const model::Model& model, const StateSlot& slot, std::size_t block) {
  return slot.matrix_memory(model.state_spec.first_tensor[block]);
}

namespace {

/// Gates, n and m of one head after every row of a ring; k and v are kept in it.
void advance_head(const Pass& pass, std::size_t index, const DecodeBatch& batch, const CellBatch& cell,
                  std::int64_t head, float* denominators) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t heads = config.num_heads, qk = config.qk_head_dim(), v = config.v_head_dim();
  Ring& ring = *batch.ring;
  for (std::int64_t b = 0; b < batch.size; ++b) {
    const StateSlot &before = ring.before(b), &after = batch.slots[static_cast<std::size_t>(b)];
    const std::int64_t gate = b * cell.gate_stride + head;
    const kernels::MlstmGates gates =
        kernels::mlstm_gates(cell.i[gate], cell.f[gate], state_tensor(pass.model, before, index, 2)[head]);
    const float* k = cell.k + b * cell.qk_stride + head * qk;
    float* n = state_tensor(pass.model, after, index, 1) + head * qk;
    std::copy_n(state_tensor(pass.model, before, index, 1) + head * qk, qk, n);
    const float qn = kernels::mlstm_step_normalizer(gates, cell.q + b * cell.qk_stride + head * qk, k, qk, n);
    denominators[b * heads + head] = kernels::mlstm_denominator(qn, gates.m, config.mlstm_eps);
    state_tensor(pass.model, after, index, 2)[head] = gates.m;
    ring.gates(index)[b * heads + head] = gates;
    std::copy_n(k, qk, ring.k(index) + b * config.qk_dim + head * qk);
    std::copy_n(cell.v + b * cell.v_stride + head * v, v, ring.v(index) + b * config.v_dim + head * v);
  }
}

/// The rows of a ring, in order, with C read once and not written.
void decode_ring(const Pass& pass, std::size_t index, const DecodeBatch& batch, const CellBatch& cell) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t heads = config.num_heads, qk = config.qk_head_dim(), v = config.v_head_dim();
  const std::int64_t slices = (v + kSliceWidth - 1) / kSliceWidth;
  float* denominators = pass.workspace.take(batch.size * heads);
  pass.pool.parallel_for(heads, [&](std::int64_t head) { advance_head(pass, index, batch, cell, head, denominators); });
  pass.pool.parallel_for(heads * slices, [&](std::int64_t task) {
    const std::int64_t head = task / slices, column = task % slices * kSliceWidth;
    kernels::MlstmSteps steps;
    steps.tokens = batch.size;
    steps.gates = batch.ring->gates(index) + head;
    steps.q = cell.q + head * qk;
    steps.k = cell.k + head * qk;
    steps.v = cell.v + head * v + column;
    steps.h = cell.h + head * v + column;
    steps.gate_stride = heads;
    steps.q_stride = steps.k_stride = cell.qk_stride;
    steps.v_stride = cell.v_stride;
    steps.h_stride = cell.h_stride;
    kernels::mlstm_steps_slice(steps, qk, std::min(kSliceWidth, v - column), v,
                               matrix_memory(pass.model, batch.ring->state(), index) + (head * qk * v + column));
  });
  for (std::int64_t task = 0; task < batch.size * heads; ++task) {
    kernels::scale_in_place(cell.h + task / heads * cell.h_stride + task % heads * v, v, 1.0f / denominators[task]);
  }
}

}  // namespace

void mlstm_cell_decode(const Pass& pass, std::size_t index, const DecodeBatch& batch, const CellBatch& cell) {
  if (batch.ring != nullptr) return decode_ring(pass, index, batch, cell);
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t heads = config.num_heads, qk = config.qk_head_dim(), v = config.v_head_dim();
  const std::int64_t slices = (v + kSliceWidth - 1) / kSliceWidth;
  float* denominators = pass.workspace.take(batch.size * heads);
  float* m_new = pass.workspace.take(batch.size * heads);
  pass.pool.parallel_for(batch.size * heads * slices, [&](std::int64_t task) {
    const std::int64_t slice = task % slices, head = task / slices % heads, b = task / slices / heads;
    const StateSlot& slot = batch.slots[static_cast<std::size_t>(b)];
    const std::int64_t gate = b * cell.gate_stride + head;
    const float m = state_tensor(pass.model, slot, index, 2)[head];
    const kernels::MlstmGates gates = kernels::mlstm_gates(cell.i[gate], cell.f[gate], m);
    const float* q = cell.q + b * cell.qk_stride + head * qk;
    const float* k = cell.k + b * cell.qk_stride + head * qk;
    if (slice == 0) {  // once a head; m itself is replaced after the region, other slices still read it
      float* n = state_tensor(pass.model, slot, index, 1) + head * qk;
      const float qn = kernels::mlstm_step_normalizer(gates, q, k, qk, n);
      denominators[b * heads + head] = kernels::mlstm_denominator(qn, gates.m, config.mlstm_eps);
      m_new[b * heads + head] = gates.m;
    }
    const std::int64_t column = slice * kSliceWidth;
    kernels::mlstm_step_slice(gates, q, k, cell.v + b * cell.v_stride + head * v + column, qk,
                              std::min(kSliceWidth, v - column), v,
                              matrix_memory(pass.model, slot, index) + (head * qk * v + column),
                              cell.h + b * cell.h_stride + head * v + column);
  });
  for (std::int64_t b = 0; b < batch.size; ++b) {
    float* m = state_tensor(pass.model, batch.slots[static_cast<std::size_t>(b)], index, 2);
    for (std::int64_t head = 0; head < heads; ++head) {
      kernels::scale_in_place(cell.h + b * cell.h_stride + head * v, v, 1.0f / denominators[b * heads + head]);
      m[head] = m_new[b * heads + head];
    }
  }
}

void mlstm_cell_prefill(const Pass& pass, std::size_t index, const PrefillSegment& segment, const CellPanels& cell) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t qk = config.qk_head_dim(), v = config.v_head_dim();
  pass.pool.parallel_for(config.num_heads, [&](std::int64_t head) {
    kernels::MlstmChunkwise args;
    args.qk = qk;
    args.v = v;
    args.tokens = segment.tokens;
    args.chunk_size = config.chunk_size;
    args.q = cell.q + head * qk * kernels::kPanelWidth;
    args.k = cell.k + head * qk * kernels::kPanelWidth;
    args.value = cell.v + head * v * kernels::kPanelWidth;
    args.i_raw = cell.i + head * kernels::kPanelWidth;
    args.f_raw = cell.f + head * kernels::kPanelWidth;
    args.q_stride = cell.q_stride;
    args.k_stride = cell.k_stride;
    args.value_stride = cell.v_stride;
    args.gate_stride = cell.gate_stride;
    args.q_scale = cell.q_scale;
    args.k_scale = cell.k_scale;
    args.eps = config.mlstm_eps;
    args.n = state_tensor(pass.model, segment.slot, index, 1) + head * qk;
    args.m = state_tensor(pass.model, segment.slot, index, 2) + head;
    args.h = cell.h + head * v * kernels::kPanelWidth;
    args.h_stride = cell.h_stride;
    chunkwise(args, matrix_memory(pass.model, segment.slot, index) + head * qk * v);
  });
}

}  // namespace xlstm::backend
