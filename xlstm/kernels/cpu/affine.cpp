#include "xlstm/kernels/cpu/affine.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "xlstm/kernels/cpu/convert.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/affine.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;  // divides every group
using Bytes = hn::Rebind<std::uint8_t, D>;
using Ints = hn::RebindToSigned<D>;

constexpr std::int64_t kMaxGroup = 128;

// Two q of 4 bits share a byte, the first in the low half.
HWY_INLINE void pack_nibbles(const std::uint8_t* HWY_RESTRICT q, std::int64_t count, std::uint8_t* HWY_RESTRICT bytes) {
  for (std::int64_t i = 0; i < count / 2; ++i) bytes[i] = static_cast<std::uint8_t>(q[2 * i] | q[2 * i + 1] << 4);
}

HWY_INLINE void unpack_nibbles(const std::uint8_t* HWY_RESTRICT bytes, std::int64_t count,
                               std::uint8_t* HWY_RESTRICT q) {
  for (std::int64_t i = 0; i < count / 2; ++i) {
    q[2 * i] = bytes[i] & 15;
    q[2 * i + 1] = bytes[i] >> 4;
  }
}

struct ScaleAndBias {
  float scale, bias;
};

// The edge of larger magnitude becomes the bias and so is met exactly; the scale is then bent until 0 is met as well.
HWY_INLINE ScaleAndBias fit(const float* w, std::int64_t size, float largest_q) {
  constexpr float kLeastScale = 1e-7f;
  const D d;
  auto low = hn::LoadU(d, w), high = low;
  for (std::int64_t i = hn::Lanes(d); i < size; i += hn::Lanes(d)) {
    low = hn::Min(low, hn::LoadU(d, w + i));
    high = hn::Max(high, hn::LoadU(d, w + i));
  }
  const float least = hn::GetLane(hn::MinOfLanes(d, low)), most = hn::GetLane(hn::MaxOfLanes(d, high));
  const bool rising = std::abs(least) > std::abs(most);
  const float step = std::max((most - least) / largest_q, kLeastScale);
  const float edge = rising ? least : most, scale = rising ? step : -step;
  const float q_of_zero = hn::GetLane(hn::Round(hn::Set(d, edge / scale)));
  if (q_of_zero == 0) return {scale, 0};
  return {edge / q_of_zero, edge};
}

void quantize_target(const float* w, std::int64_t count, int bits, std::int64_t group_size, std::uint32_t* words,
                     float* scales, float* biases) {
  const D d;
  const float largest_q = static_cast<float>((1 << bits) - 1);
  auto* out = reinterpret_cast<std::uint8_t*>(words);  // little-endian: the first q in the lowest bits
  for (std::int64_t g = 0; g < count / group_size; ++g, w += group_size, out += group_size * bits / 8) {
    const ScaleAndBias group = fit(w, group_size, largest_q);
    scales[g] = group.scale;
    biases[g] = group.bias;
    std::uint8_t nibbles[kMaxGroup];
    std::uint8_t* const q = bits == 8 ? out : nibbles;
    const auto scale = hn::Set(d, group.scale), bias = hn::Set(d, group.bias), last = hn::Set(d, largest_q);
    for (std::int64_t i = 0; i < group_size; i += hn::Lanes(d)) {
      const auto value = hn::Div(hn::Sub(hn::LoadU(d, w + i), bias), scale);
      const auto nearest = hn::NearestInt(hn::Min(hn::Max(value, hn::Zero(d)), last));  // ties to even
      hn::StoreU(hn::DemoteTo(Bytes(), nearest), Bytes(), q + i);
    }
    if (bits == 4) pack_nibbles(nibbles, group_size, out);
  }
}

/// scales and biases in float32.
void dequantize_target(const std::uint8_t* bytes, int bits, std::int64_t group_size, std::int64_t groups,
                       const float* scales, const float* biases, float* out) {
  const D d;
  for (std::int64_t g = 0; g < groups; ++g, out += group_size, bytes += group_size * bits / 8) {
    std::uint8_t nibbles[kMaxGroup];
    if (bits == 4) unpack_nibbles(bytes, group_size, nibbles);
    const std::uint8_t* const q = bits == 8 ? bytes : nibbles;
    const auto scale = hn::Set(d, scales[g]), bias = hn::Set(d, biases[g]);
    for (std::int64_t i = 0; i < group_size; i += hn::Lanes(d)) {
      const auto value = hn::ConvertTo(d, hn::PromoteTo(Ints(), hn::LoadU(Bytes(), q + i)));
      hn::StoreU(hn::Add(hn::Mul(value, scale), bias), d, out + i);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(quantize_target);
HWY_EXPORT(dequantize_target);

void affine_quantize(const float* w, std::int64_t count, int bits, std::int64_t group_size, std::uint32_t* words,
                     float* scales, float* biases) {
  HWY_DYNAMIC_DISPATCH(quantize_target)(w, count, bits, group_size, words, scales, biases);
}

void affine_dequantize(const MatrixView& w, std::int64_t row, float* out) {
  constexpr std::int64_t kGroups = 64;  // whose scales and biases are widened at once
  const AffineGroupsView& groups = w.groups;
  const auto* bytes = static_cast<const std::uint8_t*>(w.data) + row * w.row_bytes();
  const std::int64_t count = w.cols / groups.group_size;
  const auto parameters = [&](const void* values, std::int64_t first, std::int64_t size, float* to) {
    const std::int64_t at = (row * count + first) * static_cast<std::int64_t>(dtype_size(groups.dtype));
    widen(groups.dtype, static_cast<const std::byte*>(values) + at, size, to);
  };
  for (std::int64_t first = 0; first < count; first += kGroups) {
    const std::int64_t size = std::min(kGroups, count - first);
    float scales[kGroups], biases[kGroups];
    parameters(groups.scales, first, size, scales);
    parameters(groups.biases, first, size, biases);
    HWY_DYNAMIC_DISPATCH(dequantize_target)
    (bytes + first * groups.group_size * groups.bits / 8, groups.bits, groups.group_size, size, scales, biases,
     out + first * groups.group_size);
  }
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
