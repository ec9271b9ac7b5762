#include <cstring>
#include <limits>

#include "xlstm/kernels/cpu/quantized_gemv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/quantize_vector.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/quantized_layout.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 8>;  // four parts of the smallest group
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;

/// max |x| of a group. As integers the bits of floats that are not negative have their order, and what is not finite
/// is above all others.
float largest_of(const float* x, std::int64_t size) {
  const D d;
  const DI di;
  auto largest = hn::Zero(di);
  for (std::int64_t i = 0; i < size; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    largest = hn::Max(largest, hn::BitCast(di, hn::Abs(hn::LoadU(d, x + i))));
  }
  const std::int32_t bits = hn::GetLane(hn::MaxOfLanes(di, largest));
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// Part p of the columns from x on.
template <int kParts>
HWY_INLINE void load_parts(const float* x, V (&parts)[4]) {
  const D d;
  if constexpr (kParts == 1) parts[0] = hn::LoadU(d, x);
  if constexpr (kParts == 2) hn::LoadInterleaved2(d, x, parts[0], parts[1]);
  if constexpr (kParts == 4) hn::LoadInterleaved4(d, x, parts[0], parts[1], parts[2], parts[3]);
}

/// Lines of q for a line of weights.
template <int kParts, bool kPlanes>
constexpr std::int64_t kLines = kPlanes ? 2 * kParts : kParts;

/// q of the group of x that begins at column `begin`; returns their sum. kPlanes: each in two lines, `Element` the type
/// of its high byte.
template <int kParts, class Element, bool kPlanes>
std::int32_t quantize_group(const float* x, std::int64_t begin, std::int64_t size, float factor, std::byte* q) {
  constexpr auto kElementBytes = static_cast<std::int64_t>(sizeof(Element));
  constexpr std::int64_t kLineElements = kLineBytes / kElementBytes;
  const DI di;
  const hn::Rebind<Element, DI> de;
  const V factors = hn::Set(D(), factor);
  auto sum = hn::Zero(di);
  for (std::int64_t c = 0; c < size; c += kParts * static_cast<std::int64_t>(hn::Lanes(di))) {
    V parts[4];
    load_parts<kParts>(x + c, parts);
    const std::int64_t element = (begin + c) / kParts;  // of each part
    std::byte* to =
        q + element / kLineElements * kLines<kParts, kPlanes> * kLineBytes + element % kLineElements * kElementBytes;
    for (int p = 0; p < kParts; ++p, to += kLineBytes) {
      const auto rounded = hn::NearestInt(hn::Mul(parts[p], factors));
      sum = hn::Add(sum, rounded);
      if constexpr (kPlanes) {
        const hn::Rebind<std::uint8_t, DI> du8;
        const auto low = hn::DemoteTo(du8, hn::And(rounded, hn::Set(di, 255)));
        hn::StoreU(hn::DemoteTo(de, hn::ShiftRight<8>(rounded)), de, reinterpret_cast<Element*>(to));
        hn::StoreU(low, du8, reinterpret_cast<std::uint8_t*>(to) + kParts * kLineBytes);
      } else {
        hn::StoreU(hn::DemoteTo(de, rounded), de, reinterpret_cast<Element*>(to));
      }
    }
  }
  return hn::GetLane(hn::SumOfLanes(di, sum));
}

template <int kParts, class Element, bool kPlanes = false>
void quantize(const QuantizedFormat& format, const float* x, std::int64_t cols, const QuantizedLayout& layout,
              std::byte* out) {
  constexpr std::int64_t kLineCols = kLineBytes / static_cast<std::int64_t>(sizeof(Element)) * kParts;
  constexpr std::int64_t kLineSet = kLines<kParts, kPlanes> * kLineBytes;
  constexpr float kZeros[128] = {};  // the largest group
  const float limit = format.type == DType::int8 ? 127.0f : 32767.0f;
  auto* const scales = reinterpret_cast<float*>(out);
  auto* const sums = reinterpret_cast<float*>(out + layout.sums());
  std::byte* const q = out + layout.q();
  std::memset(out, 0, static_cast<std::size_t>(layout.q()));
  if (cols % kLineCols != 0) std::memset(q + cols / kLineCols * kLineSet, 0, kLineSet);
  for (std::int64_t c = 0, g = 0; c < cols; c += format.group_size, ++g) {
    const float largest = largest_of(x + c, format.group_size);
    const bool finite = largest <= std::numeric_limits<float>::max();
    if (!finite ||
        largest < limit * std::numeric_limits<float>::min()) {  // smaller ones would make the factor overflow
      quantize_group<kParts, Element, kPlanes>(kZeros, c, format.group_size, 0, q);
      if (!finite) scales[g] = sums[g] = std::numeric_limits<float>::quiet_NaN();
      continue;
    }
    const std::int32_t sum = quantize_group<kParts, Element, kPlanes>(x + c, c, format.group_size, limit / largest, q);
    scales[g] = largest / limit;
    sums[g] = scales[g] * static_cast<float>(sum);
  }
}

void quantize_vector_target(const QuantizedFormat& format, const float* x, std::int64_t cols,
                            const QuantizedLayout& layout, std::byte* out) {
  if (layout.element_bytes == 1) {
    if (layout.parts == 1) return quantize<1, std::int8_t>(format, x, cols, layout, out);
    return quantize<2, std::int8_t>(format, x, cols, layout, out);
  }
  if (layout.planes) {
    if (layout.parts == 2) return quantize<1, std::int8_t, true>(format, x, cols, layout, out);
    return quantize<2, std::int8_t, true>(format, x, cols, layout, out);
  }
  if (layout.parts == 2) return quantize<2, std::int16_t>(format, x, cols, layout, out);
  return quantize<4, std::int16_t>(format, x, cols, layout, out);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(quantize_vector_target);

std::int64_t quantized_vector_bytes(const QuantizedFormat& format, std::int64_t cols) {
  const QuantizedLayout widest(format, cols, 2);  // so a place for x suits every target
  const std::int64_t lines = (cols * format.weight_bits / 8 + kLineBytes - 1) / kLineBytes;
  return widest.q() + lines * widest.parts * kLineBytes;
}

void quantize_vector(const QuantizedFormat& format, const float* x, std::int64_t cols, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(quantize_vector_target)(format, x, cols, quantized_layout(format, cols), out);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
