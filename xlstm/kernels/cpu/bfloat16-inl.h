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

/// Rounded to nearest even as float32_to_bfloat16 does, on every target: AVX512_BF16's own conversion would take
/// subnormals for zeros. A quiet NaN, as those of arithmetic are, is cut off: rounding could carry it into a zero.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void store_kept(D, V value, std::uint16_t* to) {
  const hn::RebindToUnsigned<D> d32;
  const hn::Rebind<std::uint16_t, D> d16;
  const auto bits = hn::BitCast(d32, value);
  const auto is_odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1u));
  const auto half = hn::Add(is_odd, hn::Set(d32, 0x7fffu));
  const auto rounded = hn::Add(bits, hn::IfThenZeroElse(hn::RebindMask(d32, hn::IsNaN(value)), half));
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(rounded)), d16, to);
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_BFLOAT16_INL_H_
