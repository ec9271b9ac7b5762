// Scales and biases of affine groups that fit their weights better than the range of the group does.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"

namespace xlstm::kernels {

/// Quantises like affine_quantize, but with that scale and bias, among those tried for a group, whose weights are
/// nearest: least sum of (w - (scale * q + bias))^2. Tried are mx::quantize's own and, from ranges whose ends are moved
/// in (and a little out) on a grid, the least-squares fits to the q that the range before gives. Both are numbers of
/// `dtype` when they are judged, and each q is the nearest for them: never worse than mx::quantize's scale and bias
/// once those are rounded. Where these are not finite in `dtype`, they are returned as they are.
///
/// words [count * bits / 32], scales and biases [count / group_size]. The bits are the same on every target. REQUIRES:
/// finite w; bits 4 or 8; group_size 32, 64 or 128. Cost: about 250 passes over a group of 4 bits, 30 of 8 bits.
void affine_search(const float* w, std::int64_t count, int bits, std::int64_t group_size, DType dtype,
                   std::uint32_t* words, float* scales, float* biases);

}  // namespace xlstm::kernels
