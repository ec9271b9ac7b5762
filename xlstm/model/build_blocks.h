// The two networks, tensor by tensor.
#pragma once

#include "xlstm/model/tensor_binder.h"

namespace xlstm::model {

/// Reference 1.3, 1.4. Fills embedding, blocks, out_norm, lm_head and the sizes in config.
void build_large(const checkpoint::Checkpoint& checkpoint, TensorBinder& binder, Model& model);
/// Reference 3.6.
void build_research(const checkpoint::Checkpoint& checkpoint, TensorBinder& binder, Model& model);

}  // namespace xlstm::model
