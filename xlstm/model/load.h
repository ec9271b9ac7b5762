// Checked tensors -> the network's blocks.
#pragma once

#include <memory>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/model.h"

namespace xlstm::model {

/// Binds every tensor to its place, sizes from shapes, formulas only to validate (reference 1.2-1.4, 3.6).
/// A tensor that is missing, extra, or of the wrong shape or dtype: corrupt_file, one line naming file, tensor, expected, found.
std::shared_ptr<const Model> build_model(const checkpoint::Checkpoint& checkpoint);

}  // namespace xlstm::model
