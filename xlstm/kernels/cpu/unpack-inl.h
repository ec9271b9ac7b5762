// Stored weights on their way to a product: unpacked to float32, or the q of affine groups to whole bytes.
// Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_UNPACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_UNPACK_INL_H_
#undef XLSTM_KERNELS_CPU_UNPACK_INL_H_
#else
#define XLSTM_KERNELS_CPU_UNPACK_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "xlstm/base/dtype.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sixteen stored weights.
struct Float32Line {
  using T = float;
  static HWY_INLINE VP load(const T* w) { return hn::LoadU(DP(), w); }
};
struct Bfloat16Line {
  using T = std::uint16_t;
  static HWY_INLINE VP load(const T* w) {
    const hn::Rebind<std::uint16_t, DP> d16;
    const hn::RebindToUnsigned<DP> d32;
    return hn::BitCast(DP(), hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, w))));
  }
};
struct Float16Line {
  using T = hwy::float16_t;
  static HWY_INLINE VP load(const T* w) { return hn::PromoteTo(DP(), hn::LoadU(hn::Rebind<T, DP>(), w)); }
};

// The whole lines of `count` weights; returns how many weights those are.
template <class Line>
HWY_INLINE std::int64_t widen_lines(const std::byte* from, std::int64_t count, float* to, std::int64_t stride) {
  const auto* w = reinterpret_cast<const typename Line::T*>(from);
  std::int64_t i = 0;
  for (; i + kPanelWidth <= count; i += kPanelWidth, to += stride) {
    for (int j = 0; j < kPanelWidth; j += kLanes) hn::StoreU(Line::load(w + i + j), DP(), to + j);
  }
  return i;
}

/// `count` stored weights -> float32, a line of 16 every `stride` floats.
HWY_INLINE void widen(DType dtype, const std::byte* from, std::int64_t count, float* to, std::int64_t stride) {
  std::int64_t i = 0;
  if (dtype == DType::bfloat16) i = widen_lines<Bfloat16Line>(from, count, to, stride);
  if (dtype == DType::float32) i = widen_lines<Float32Line>(from, count, to, stride);
  // Its scalar PromoteTo knows neither Inf nor NaN.
  if (dtype == DType::float16 && HWY_TARGET != HWY_SCALAR) i = widen_lines<Float16Line>(from, count, to, stride);
  for (; i < count; i += kPanelWidth) {
    widen_to_float32(dtype, from + i * static_cast<std::int64_t>(dtype_size(dtype)),
                     static_cast<std::size_t>(std::min<std::int64_t>(kPanelWidth, count - i)),
                     to + i / kPanelWidth * stride);
  }
}

// Columns whose q are unpacked at a time: what every group size is a multiple of.
constexpr std::int64_t kPieceColumns = 32;

/// 32 q of 8 bits -> uint8 or uint16, of 4 bits (two a byte, the first in its lower half) likewise.
template <int kBits>
HWY_INLINE void unpack_q(const std::byte* from, std::uint8_t* to) {
  static_assert(kBits == 8);
  std::memcpy(to, from, kPieceColumns);
}
template <int kBits>
HWY_INLINE void unpack_q(const std::byte* from, std::uint16_t* to) {
  static_assert(kBits == 8);
  const hn::CappedTag<std::uint16_t, kPieceColumns> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  for (std::size_t i = 0; i < kPieceColumns; i += hn::Lanes(d)) {
    hn::StoreU(hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(from) + i)), d, to + i);
  }
}
template <>
HWY_INLINE void unpack_q<4>(const std::byte* from, std::uint8_t* to) {
  const hn::CappedTag<std::uint16_t, kPieceColumns / 2> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  for (std::size_t i = 0; i < kPieceColumns / 2; i += hn::Lanes(d)) {
    const auto both = hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(from) + i));
    const auto apart = hn::And(hn::Or(both, hn::ShiftLeft<4>(both)), hn::Set(d, std::uint16_t{0x0f0f}));
    hn::StoreU(apart, d, reinterpret_cast<std::uint16_t*>(to) + i);
  }
}
template <>
HWY_INLINE void unpack_q<4>(const std::byte* from, std::uint16_t* to) {
  const hn::CappedTag<std::uint32_t, kPieceColumns / 2> d;
  const hn::Rebind<std::uint8_t, decltype(d)> d8;
  for (std::size_t i = 0; i < kPieceColumns / 2; i += hn::Lanes(d)) {
    const auto both = hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(from) + i));
    const auto apart = hn::And(hn::Or(both, hn::ShiftLeft<12>(both)), hn::Set(d, 0x000f000fu));
    hn::StoreU(apart, d, reinterpret_cast<std::uint32_t*>(to) + i);
  }
}

/// Scales or biases (`values`) of `count` groups from `first` on -> float32 at `to`, in whole lines of 16: whatever
/// follows in the matrix of `total` groups fills up the last.
HWY_INLINE void widen_parameters(DType dtype, const void* values, std::int64_t first, std::int64_t count,
                                 std::int64_t total, float* to) {
  const std::int64_t whole = (count + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
  widen(dtype, static_cast<const std::byte*>(values) + first * static_cast<std::int64_t>(dtype_size(dtype)),
        std::min(whole, total - first), to, kPanelWidth);
}

/// scale * q + bias of columns [k, k + cols) of one row, a line of 16 every `stride` floats. An fma where the target
/// has one: q is exact, so there is one rounding, elsewhere two.
template <int kBits>
HWY_INLINE void dequantize(const MatrixView& w, std::int64_t row, std::int64_t k, std::int64_t cols, float* to,
                           std::int64_t stride) {
  constexpr std::int64_t kMaxGroups = 16;  // of one call
  const DP d;
  const hn::Rebind<std::uint8_t, DP> d8;
  const hn::RebindToSigned<DP> d32;
  const std::int64_t size = w.groups.group_size, row_groups = w.cols / size;
  const std::int64_t first = row * row_groups + k / size, count = cols / size;
  alignas(64) float scales[kMaxGroups], biases[kMaxGroups];
  alignas(64) std::uint8_t q[kPieceColumns];
  widen_parameters(w.groups.dtype, w.groups.scales, first, count, w.rows * row_groups, scales);
  widen_parameters(w.groups.dtype, w.groups.biases, first, count, w.rows * row_groups, biases);
  const std::byte* from = static_cast<const std::byte*>(w.data) + row * w.row_bytes() + k * kBits / 8;
  for (std::int64_t g = 0; g < count; ++g) {
    const VP scale = hn::Set(d, scales[g]), bias = hn::Set(d, biases[g]);
    for (std::int64_t c = 0; c < size; c += kPieceColumns, from += kPieceColumns * kBits / 8) {
      unpack_q<kBits>(from, q);
      for (std::int64_t i = 0; i < kPieceColumns; i += kLanes) {
        const VP value = hn::ConvertTo(d, hn::PromoteTo(d32, hn::LoadU(d8, q + i)));
        hn::StoreU(hn::MulAdd(value, scale, bias), d, to + i / kPanelWidth * stride + i % kPanelWidth);
      }
      to += kPieceColumns / kPanelWidth * stride;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_UNPACK_INL_H_
