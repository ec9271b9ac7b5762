// How each kind of block runs on the CPU: a batch of single tokens (decode) or a segment of one sequence (prefill).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/projections.h"
#include "xlstm/backend/cpu/slot_layout.h"

namespace xlstm::backend {

class Ring;

/// One token of each sequence. x [batch, D] is the residual stream, read and replaced; slots[b] is row b's state. With
/// a ring (ring.h) the rows are consecutive tokens of one sequence, and slots[b] what the ring has for the state after
/// row b: all of it but matrix memories.
struct DecodeBatch {
  std::int64_t size = 0;
  float* x = nullptr;
  std::span<const StateSlot> slots;
  Ring* ring = nullptr;
};

/// Consecutive tokens of one sequence in panels (kernels/cpu/panel.h). x panels [panels][D][16], lanes past `tokens`
/// are zeros or finite.
struct PrefillSegment {
  std::int64_t tokens = 0;
  std::int64_t panels = 0;
  float* x = nullptr;
  StateSlot slot;
};

/// A state tensor of block `block`: `index` counts within the block (config::make_state_spec). C of an mLSTM layer is
/// the block's matrix memory, every other tensor float32.
float* state_tensor(const model::Model& model, const StateSlot& slot, std::size_t block, std::size_t index);
kernels::MatrixMemory matrix_memory(const model::Model& model, const StateSlot& slot, std::size_t block);

/// The same of row b, for its token to advance: with a ring it begins as the row before has left it.
float* row_tensor(const Pass& pass, const DecodeBatch& batch, std::int64_t b, std::size_t block, std::size_t index);

/// f(b) for every row: side by side, or in order when each needs the state that the one before leaves.
template <class F>
void for_each_row(const Pass& pass, const DecodeBatch& batch, const F& f) {
  if (batch.ring == nullptr) return pass.pool.parallel_for(batch.size, f);
  for (std::int64_t b = 0; b < batch.size; ++b) f(b);
}

void decode_block(const Pass& pass, const model::LargeBlock& block, std::size_t index, const DecodeBatch& batch);
void decode_block(const Pass& pass, const model::ResearchMlstmBlock& block, std::size_t index,
                  const DecodeBatch& batch);
void decode_block(const Pass& pass, const model::ResearchSlstmBlock& block, std::size_t index,
                  const DecodeBatch& batch);

void prefill_block(const Pass& pass, const model::LargeBlock& block, std::size_t index, const PrefillSegment& segment);
void prefill_block(const Pass& pass, const model::ResearchMlstmBlock& block, std::size_t index,
                   const PrefillSegment& segment);
void prefill_block(const Pass& pass, const model::ResearchSlstmBlock& block, std::size_t index,
                   const PrefillSegment& segment);

}  // namespace xlstm::backend
