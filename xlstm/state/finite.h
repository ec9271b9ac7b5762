// NaN and infinity are refused both ways.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "xlstm/base/error.h"

namespace xlstm::state {

/// Throws `code` naming file, tensor, the first value that is not finite, and where it is.
void check_finite(ErrorCode code, const std::string& file, std::string_view tensor, std::span<const float> values);

}  // namespace xlstm::state
