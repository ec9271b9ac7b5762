// Scales and biases of affine groups as vectors of float32. Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_AFFINE_PARAMETERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_AFFINE_PARAMETERS_INL_H_
#undef XLSTM_KERNELS_CPU_AFFINE_PARAMETERS_INL_H_
#else
#define XLSTM_KERNELS_CPU_AFFINE_PARAMETERS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "xlstm/base/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// One vector of parameters, wherever they lie. Highway takes infinities of float16 for large numbers where the CPU has
/// no conversion.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V load_parameters(D d, DType dtype, const std::byte* at) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  const hn::Rebind<std::uint16_t, D> d16;
  if (dtype == DType::bfloat16) {
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::PromoteTo(du, hn::LoadU(d16, reinterpret_cast<const std::uint16_t*>(at)));
    return hn::BitCast(d, hn::ShiftLeft<16>(bits));
  }
  if (dtype == DType::float16) {
    const hn::Rebind<hwy::float16_t, D> df16;
    return hn::PromoteTo(d, hn::LoadU(df16, reinterpret_cast<const hwy::float16_t*>(at)));
  }
  return hn::LoadU(d, reinterpret_cast<const float*>(at));
#else
  HWY_ALIGN float values[hn::MaxLanes(d)];
  widen_to_float32(dtype, at, hn::Lanes(d), values);
  return hn::Load(d, values);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_AFFINE_PARAMETERS_INL_H_
