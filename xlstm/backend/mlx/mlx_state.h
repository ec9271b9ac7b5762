// The recurrent state of one sequence as evaluated MLX arrays.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/backend/mlx/mlx_runtime.h"

namespace xlstm::backend::mlx {

/// Arrays are values nobody changes, so a clone shares them until either state moves on.
/// Safe to read, clone and destroy on any thread: the arrays are always evaluated.
class MlxState : public State {
 public:
  /// All zeros.
  explicit MlxState(std::shared_ptr<const model::Model> model);
  std::unique_ptr<State> clone() const override;
  void to_host(std::span<float> slot) const override;
  void from_host(std::span<const float> slot) override;

  const std::vector<mx::array>& tensors() const noexcept { return tensors_; }
  /// Takes evaluated, row-contiguous float32 arrays in the order and shapes of the StateSpec.
  void assign(std::vector<mx::array> tensors) noexcept { tensors_ = std::move(tensors); }

 private:
  void check_slot(std::size_t size) const;

  std::shared_ptr<const model::Model> model_;
  std::vector<mx::array> tensors_;
};

}  // namespace xlstm::backend::mlx
