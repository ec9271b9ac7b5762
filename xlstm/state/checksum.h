// One number over all that a state file says.
#pragma once

#include <map>
#include <string>

#include "xlstm/base/tensor_view.h"

namespace xlstm::state {

inline constexpr const char* kChecksum = "checksum";

/// XXH3-128, 32 hex digits, of netstrings ("3:abc,"): key and value of each metadata entry but "checksum" itself, then
/// name, dtype, shape and bytes of each tensor, both in the order of their names' bytes.
std::string checksum(const std::map<std::string, std::string>& metadata,
                     const std::map<std::string, TensorView>& tensors);

}  // namespace xlstm::state
