// Vector functions that several kernels share. Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_MATH_INL_H_
#undef XLSTM_KERNELS_CPU_MATH_INL_H_
#else
#define XLSTM_KERNELS_CPU_MATH_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
// (a block of its own: needs highway.h)
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// e^x for every x. hn::Exp makes 0 of a NaN and means nothing above e^177; e^89 is infinite already.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_any(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, hn::Min(x, hn::Set(d, 89.0f))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp_any(d, hn::Neg(x))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V silu(D d, V x) {
  return hn::Mul(x, sigmoid(d, x));
}

/// cap * tanh(x / cap)
template <class D, class V = hn::Vec<D>>
HWY_INLINE V soft_cap(D d, V x, float cap) {
  return hn::Mul(hn::Set(d, cap), hn::Tanh(d, hn::Div(x, hn::Set(d, cap))));
}

/// log(sigmoid(x)) = min(x, 0) - log1p(exp(-|x|)): never through log(sigmoid), which loses all digits near 0 (Q4). A
/// NaN stays one.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log_sigmoid(D d, V x) {
  const V value = hn::Sub(hn::Min(x, hn::Zero(d)), hn::Log1p(d, hn::Exp(d, hn::Neg(hn::Abs(x)))));
  return hn::IfThenElse(hn::IsNaN(x), x, value);
}

/// x rounded to bfloat16 (nearest, ties to even; a NaN stays one), as float32: the lower 16 bits are 0.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V round_to_bfloat16(D d, V x) {
  const hn::RebindToUnsigned<D> du;
  const auto bits = hn::BitCast(du, x);
  const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
  const auto rounded = hn::Add(bits, hn::Add(last, hn::Set(du, 0x7fffu)));
  const auto quiet = hn::Or(bits, hn::Set(du, 0x00400000u));  // never rounded to infinity
  const auto any = hn::IfThenElse(hn::RebindMask(du, hn::IsNaN(x)), quiet, rounded);
  return hn::BitCast(d, hn::And(any, hn::Set(du, 0xffff0000u)));
}

/// Calls body(tag, index) over [0, size): full vectors, then single lanes with the same code.
template <class F>
HWY_INLINE void for_each_vector(std::int64_t size, F&& body) {
  const hn::ScalableTag<float> d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + n <= size; i += n) body(d, i);
  for (; i < size; ++i) body(hn::CappedTag<float, 1>(), i);
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_MATH_INL_H_
