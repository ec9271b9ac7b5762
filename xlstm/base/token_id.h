// The type of a token id.
#pragma once

#include <cstdint>

namespace xlstm {

using TokenId = std::int32_t;

}  // namespace xlstm
