#include "xlstm/backend/mlx/mlx_state.h"

#include <algorithm>
#include <utility>

#include "xlstm/backend/mlx/weights.h"
#include "xlstm/base/error.h"

namespace xlstm::backend::mlx {

MlxState::MlxState(std::shared_ptr<const model::Model> model) : model_(std::move(model)) {
  from_host(std::vector<float>(static_cast<std::size_t>(model_->state_spec.slot_size), 0.0f));
}

std::unique_ptr<State> MlxState::clone() const { return std::make_unique<MlxState>(*this); }

void MlxState::to_host(std::span<float> slot) const {
  check_slot(slot.size());
  std::fill(slot.begin(), slot.end(), 0.0f);  // the padding between tensors
  const auto& spec = model_->state_spec.tensors;
  for (std::size_t t = 0; t < spec.size(); ++t) {
    std::copy_n(tensors_[t].data<float>(), spec[t].size, slot.data() + spec[t].offset);
  }
}

void MlxState::from_host(std::span<const float> slot) {
  check_slot(slot.size());
  std::vector<mx::array> tensors;
  for (const config::StateTensor& tensor : model_->state_spec.tensors) {
    tensors.push_back(host_array(slot.data() + tensor.offset, tensor.shape));
  }
  tensors_ = std::move(tensors);
}

void MlxState::check_slot(std::size_t size) const {
  const auto expected = static_cast<std::size_t>(model_->state_spec.slot_size);
  if (size != expected) {
    fail(ErrorCode::invalid_argument, "state", "expected a slot of ", expected, " floats but got ", size);
  }
}

}  // namespace xlstm::backend::mlx
