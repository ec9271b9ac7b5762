// What a verification has computed of the state after each of its tokens (reference section 2.4), so that any number of
// them can be kept.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "xlstm/backend/cpu/pass.h"
#include "xlstm/backend/cpu/slot_layout.h"
#include "xlstm/kernels/cpu/mlstm_steps.h"

namespace xlstm::backend {

/// Of every token: all tensors of the state after it but the matrix memories, whole, and what it adds to those: gates,
/// k and v. The state itself stays as it was until fold(). Memory: of kMaxMlstmSteps tokens, from the first start() on.
class Ring {
 public:
  explicit Ring(const model::Model& model) : model_(&model) {}

  /// For `tokens` tokens that follow `state`, at most kMaxMlstmSteps.
  void start(const StateSlot& state, std::int64_t tokens);
  /// Nothing can be folded any more.
  void clear() noexcept { state_ = {}; }
  bool active() const noexcept { return state_.data != nullptr; }
  const StateSlot& state() const noexcept { return state_; }
  std::int64_t tokens() const noexcept { return static_cast<std::int64_t>(slots().size()); }
  /// After each token; without matrix memories.
  std::span<const StateSlot> slots() const noexcept { return std::span(slots_).first(tokens_); }
  /// Before token b.
  const StateSlot& before(std::int64_t b) const noexcept {
    return b == 0 ? state_ : slots_[static_cast<std::size_t>(b - 1)];
  }

  /// Of an mLSTM block, one row a token: gates [tokens, NH], k [tokens, qk], v [tokens, v].
  kernels::MlstmGates* gates(std::size_t block) { return layers_[block].gates.data(); }
  float* k(std::size_t block) { return layers_[block].k.data(); }
  float* v(std::size_t block) { return layers_[block].v.data(); }

  /// Makes the state the one after the first `tokens` tokens, bit for bit as that many decode steps would, and clears.
  void fold(ThreadPool& pool, std::int64_t tokens);

 private:
  struct Layer {
    std::vector<kernels::MlstmGates> gates;
    AlignedFloats k, v;
  };
  void allocate();
  void fold_matrix_memories(ThreadPool& pool, std::int64_t tokens);

  const model::Model* model_;
  std::unique_ptr<const SlotLayout> layout_;  // null: nothing is allocated yet
  AlignedFloats memory_;
  std::vector<StateSlot> slots_;
  std::vector<Layer> layers_;               // of every block; empty where it has no matrix memory
  std::vector<std::size_t> matrix_blocks_;  // those that have one
  StateSlot state_;
  std::size_t tokens_ = 0;
};

}  // namespace xlstm::backend
