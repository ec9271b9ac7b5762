// A block of either network: activations and state in, activations and state out.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "xlstm/backend/mlx/mlstm_cell.h"
#include "xlstm/backend/mlx/weights.h"
#include "xlstm/config/model_config.h"
#include "xlstm/model/model.h"

namespace xlstm::backend::mlx {

struct BlockOutput {
  mx::array x;                   // [T, D]
  std::vector<mx::array> state;  // as it came in
};

/// Immutable. forward is pure: it changes neither the block nor its arguments.
class Block {
 public:
  virtual ~Block() = default;
  /// x [T, D], T = 1 for Form::step; state: this block's tensors in the order and shapes of the StateSpec.
  virtual BlockOutput forward(const mx::array& x, std::span<const mx::array> state, Form form) const = 0;
};

std::unique_ptr<Block> make_block(const model::LargeBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader);
std::unique_ptr<Block> make_block(const model::ResearchMlstmBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader);
std::unique_ptr<Block> make_block(const model::ResearchSlstmBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader);

}  // namespace xlstm::backend::mlx
