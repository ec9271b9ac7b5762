// Which types a loaded model computes with: part of every report, since a narrower type changes answers.
#pragma once

#include <string>

#include "xlstm/base/dtype.h"
#include "xlstm/engine/engine.h"

namespace xlstm::engine {

/// What the inputs of matrix products are rounded to.
std::string activation_dtype(Engine& engine);
/// What the recurrent state is kept in.
DType state_dtype(const Engine& engine);

}  // namespace xlstm::engine
