// The whole network as a graph of MLX ops.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/backend/mlx/block.h"
#include "xlstm/backend/mlx/layers.h"
#include "xlstm/base/token_id.h"

namespace xlstm::backend::mlx {

struct NetworkOutput {
  std::optional<mx::array> logits;  // [V] last, [T, V] all
  std::vector<mx::array> state;     // in the order and shapes of the StateSpec
};

/// Immutable; holds its weights in float32. Functions use the calling thread's default stream.
class Network {
 public:
  explicit Network(const model::Model& model);
  /// Pure and evaluated: what it returns is row-contiguous and can be read by any thread. At least one token, ids
  /// checked by the caller; exactly one for Form::step.
  NetworkOutput forward(std::span<const TokenId> tokens, std::span<const mx::array> state, Logits wanted,
                        Form form) const;
  std::size_t weight_bytes() const noexcept { return weight_bytes_; }

 private:
  mx::array head(const mx::array& x) const;

  mx::array embedding_;  // [V, D]
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::size_t> first_tensor_;  // per block, and the end
  std::optional<Norm> out_norm_;
  std::optional<Linear> lm_head_;
  std::optional<float> output_soft_cap_;
  std::size_t weight_bytes_ = 0;
};

}  // namespace xlstm::backend::mlx
