// Scales and biases of affine groups that fit their weights better than the range of the group does.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"

namespace xlstm::kernels {

/// Quantises one group as affine_quantize does, but with that scale and bias, among those tried, whose weights are
/// nearest: least sum of importance[c] * (w[c] - (scale * q[c] + bias))^2. Tried are mx::quantize's own and, from
/// ranges whose ends are moved in (and a little out) on a grid, the least-squares fits to the q that the range before
/// gives. Both are numbers of `dtype` when they are judged, and each q is the nearest for them: never worse than
/// mx::quantize's scale and bias once those are rounded. Where these are not finite in `dtype`, they are returned as
/// they are.
///
/// importance [group_size] >= 0, null: all the same. words [group_size * bits / 32]. The bits are the same on every
/// target. REQUIRES: finite w and importance; bits 4 or 8; group_size 32, 64 or 128. Cost: about 250 passes over a
/// group of 4 bits, 30 of 8 bits.
void affine_search(const float* w, const float* importance, std::int64_t group_size, int bits, DType dtype,
                   std::uint32_t* words, float* scale, float* bias);

}  // namespace xlstm::kernels
