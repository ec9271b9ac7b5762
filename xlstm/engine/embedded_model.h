// The demo model (models/bard-8m) that is linked into the library, as files in memory.
#pragma once

#include <memory>

#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::engine {

/// The files of the model's directory, used where the linker put them: nothing is copied. Each begins at a multiple
/// of 64.
std::unique_ptr<checkpoint::FileSource> embedded_model();

}  // namespace xlstm::engine
