#include "xlstm/backend/cpu/ring.h"

#include <algorithm>
#include <cstring>

#include "xlstm/backend/cpu/blocks.h"
#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t kSliceWidth = 128;  // columns of C per task, as in mlstm_cell.cpp

void copy_tensor(const StateSlot& from, const StateSlot& to, std::size_t tensor, std::size_t size) {
  std::memcpy(to.floats(tensor), from.floats(tensor), size * sizeof(float));
}

}  // namespace

void Ring::allocate() {
  const config::StateSpec& spec = model_->state_spec;
  layout_ = std::make_unique<const SlotLayout>(spec, DType::float32, SlotLayout::Holds::all_but_matrix_memories);
  constexpr auto kTokens = static_cast<std::size_t>(kernels::kMaxMlstmSteps);
  memory_ = AlignedFloats(kTokens * layout_->nbytes() / sizeof(float));
  for (std::size_t t = 0; t < kTokens; ++t) {
    slots_.push_back({layout_.get(), reinterpret_cast<std::byte*>(memory_.data()) + t * layout_->nbytes()});
  }
  layers_.resize(spec.first_tensor.size());
  for (std::size_t block = 0; block < layers_.size(); ++block) {
    if (!spec.tensors[spec.first_tensor[block]].is_matrix_memory) continue;
    matrix_blocks_.push_back(block);
    layers_[block].gates.resize(kTokens * static_cast<std::size_t>(model_->config.num_heads));
    layers_[block].k = AlignedFloats(kTokens * static_cast<std::size_t>(model_->config.qk_dim));
    layers_[block].v = AlignedFloats(kTokens * static_cast<std::size_t>(model_->config.v_dim));
  }
}

void Ring::start(const StateSlot& state, std::int64_t tokens) {
  XLSTM_CHECK(tokens > 0 && tokens <= kernels::kMaxMlstmSteps);
  if (layout_ == nullptr) allocate();
  state_ = state;
  tokens_ = static_cast<std::size_t>(tokens);
}

void Ring::fold(ThreadPool& pool, std::int64_t tokens) {
  XLSTM_CHECK(active() && tokens >= 0 && tokens <= this->tokens());
  if (tokens > 0) {
    for (std::size_t i = 0; i < model_->state_spec.tensors.size(); ++i) {
      copy_tensor(slots_[static_cast<std::size_t>(tokens - 1)], state_, i, layout_->size(i));
    }
    fold_matrix_memories(pool, tokens);
  }
  clear();
}

void Ring::fold_matrix_memories(ThreadPool& pool, std::int64_t tokens) {
  const config::ModelConfig& config = model_->config;
  const std::int64_t heads = config.num_heads, qk = config.qk_head_dim(), v = config.v_head_dim();
  const std::int64_t slices = (v + kSliceWidth - 1) / kSliceWidth;
  pool.parallel_for(std::ssize(matrix_blocks_) * heads * slices, [&](std::int64_t task) {
    const std::int64_t head = task / slices % heads, column = task % slices * kSliceWidth;
    const std::size_t block = matrix_blocks_[static_cast<std::size_t>(task / slices / heads)];
    kernels::MlstmSteps steps;
    steps.tokens = steps.kept = tokens;
    steps.gates = gates(block) + head;
    steps.k = k(block) + head * qk;
    steps.v = this->v(block) + head * v + column;
    steps.gate_stride = heads;
    steps.k_stride = config.qk_dim;
    steps.v_stride = config.v_dim;
    kernels::mlstm_steps_slice(steps, qk, std::min(kSliceWidth, v - column), v,
                               matrix_memory(*model_, state_, block) + (head * qk * v + column));
  });
}

float* row_tensor(const Pass& pass, const DecodeBatch& batch, std::int64_t b, std::size_t block, std::size_t index) {
  const StateSlot& slot = batch.slots[static_cast<std::size_t>(b)];
  if (batch.ring != nullptr) {
    const std::size_t tensor = pass.model.state_spec.first_tensor[block] + index;
    copy_tensor(batch.ring->before(b), slot, tensor, slot.layout->size(tensor));
  }
  return state_tensor(pass.model, slot, block, index);
}

}  // namespace xlstm::backend
