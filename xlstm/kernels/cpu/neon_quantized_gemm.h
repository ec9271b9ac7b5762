// The register tiles of products with quantised weights on NEON with dotprod or i8mm: bytes times bytes, sums in int32.
//
// 6 rows of weights times 16 tokens are 24 sums of 4 int32, of 32 registers, either way. A group of int16 goes over its
// weights twice: signed high bytes first, the sums move up by 8 bits, then unsigned low bytes. All of it is exact.
#pragma once

#include "xlstm/kernels/cpu/quantized_tile.h"

namespace xlstm::kernels {

/// Rows of a tile, and sums of 4 int32 of each row.
inline constexpr int kNeonRows = 6, kNeonVectors = 4;

/// For panels of the CPU target in use. REQUIRES: cpu_extensions().dotprod.
QuantizedKernel neon_quantized_kernel(const QuantizedPanel& panel);

/// The same, where the target also has i8mm.
QuantizedKernel i8mm_quantized_kernel(const QuantizedPanel& panel);

}  // namespace xlstm::kernels
