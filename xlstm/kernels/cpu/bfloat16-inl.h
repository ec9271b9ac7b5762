// Vectors of float32 from and to memory in the type it is kept in: float, or bfloat16 as its bits. Included once per
// CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_BFLOAT16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_BFLOAT16_INL_H_
#undef XLSTM_KERNELS_CPU_BFLOAT16_INL_H_
#else
#define XLSTM_KERNELS_CPU_BFLOAT16_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V load_kept(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V load_kept(D d, const std::uint16_t* from) {
  const hn::RebindToUnsigned<D> d32;
  const hn::Rebind<std::uint16_t, D> d16;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, from))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_kept(D d, V value, float* to) {
  hn::StoreU(value, d, to);
}

/// The bits of bfloat16 in the upper halves, rounded to nearest even as float32_to_bfloat16 does, on every target:
/// AVX512_BF16's own conversion would take subnormals for zeros. A quiet NaN, as those of arithmetic are, is cut off:
/// rounding could carry it into a zero.
template <class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> rounded_bits(D, V value) {
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::BitCast(d32, value);
  const auto is_odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto half = hn::Add(is_odd, hn::Set(d32, 0x7fffu));
  return hn::Add(bits, hn::IfThenZeroElse(hn::RebindMask(d32, hn::IsNaN(value)), half));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_kept(D d, V value, std::uint16_t* to) {
  const hn::Rebind<std::uint16_t, D> d16;
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(rounded_bits(d, value))), d16, to);
}

/// What load_kept gives after store_kept to a T.
template <class T, class D, class V = hn::Vec<D>>
HWY_INLINE V as_kept(D d, V value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return value;
  } else {
    const hn::RebindToUnsigned<D> d32;
    return hn::BitCast(d, hn::And(rounded_bits(d, value), hn::Set(d32, 0xffff0000u)));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_BFLOAT16_INL_H_
