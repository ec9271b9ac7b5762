// Conversion between float32 and bfloat16 in memory, vectorised: the values of dtype.h's scalar functions.
#pragma once

#include <cstdint>

namespace xlstm::kernels {

/// Exact.
void widen_bfloat16(const std::uint16_t* from, std::int64_t size, float* to);
/// To nearest even; a NaN stays one if it is quiet, as those of arithmetic are.
void narrow_to_bfloat16(const float* from, std::int64_t size, std::uint16_t* to);

}  // namespace xlstm::kernels
