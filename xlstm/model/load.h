// Checked tensors -> the network's blocks.
#pragma once

#include <memory>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/model.h"

namespace xlstm::model {

/// Binds every tensor to its place, sizes from shapes, formulas only to validate (reference 1.2-1.4, 3.6).
/// A tensor that is missing, extra, or of the wrong shape or dtype: corrupt_file, one line naming file, tensor,
/// expected, found. Matrices, quantised or not, stay where they lie and are not read; vectors and small tensors are
/// widened to float32 when they are not float32 already, and overloaded is thrown first when that would not fit in
/// `available`.
std::shared_ptr<const Model> build_model(
    const checkpoint::Checkpoint& checkpoint,
    const checkpoint::AvailableMemory& available = [] { return checkpoint::available_memory_bytes(); });

}  // namespace xlstm::model
