// Whole arrays from one weight dtype to another, as fast as memory: what base/dtype.h does one number after the other.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"

namespace xlstm::kernels {

/// The bits of widen_to_float32. `from` is aligned to its elements.
void widen(DType dtype, const void* from, std::int64_t count, float* to);
/// The bits of narrow_from_float32, but for NaNs, which stay NaNs.
void narrow(DType dtype, const float* from, std::int64_t count, void* to);

}  // namespace xlstm::kernels
