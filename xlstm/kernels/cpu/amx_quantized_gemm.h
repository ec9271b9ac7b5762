// The register tile of products with quantised weights on AMX: bytes times bytes, sums in int32.
//
// The unit multiplies 16 rows of up to 64 bytes by as many bytes of 16 columns and adds to 16 x 16 int32: unsigned
// weights by a panel of int8, or by the signed high and the unsigned low bytes of int16, whose two sums are put
// together when they leave it. All of it is exact.
#pragma once

#include "xlstm/kernels/cpu/quantized_tile.h"

namespace xlstm::kernels {

/// For QuantizedOrder quads or planes. REQUIRES: amx_supported().
QuantizedKernel amx_quantized_kernel(QuantizedOrder order, std::int64_t group_size);

}  // namespace xlstm::kernels
