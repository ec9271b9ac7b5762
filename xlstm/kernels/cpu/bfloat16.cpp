#include "xlstm/kernels/cpu/bfloat16.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/bfloat16.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/bfloat16-inl.h"
#include "xlstm/kernels/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

template <class From, class To>
HWY_INLINE void convert(const From* from, std::int64_t size, To* to) {
  for_each_vector(size, [&](auto d, std::int64_t i) HWY_ATTR { store_kept(d, load_kept(d, from + i), to + i); });
}

void widen_target(const std::uint16_t* from, std::int64_t size, float* to) { convert(from, size, to); }
void narrow_target(const float* from, std::int64_t size, std::uint16_t* to) { convert(from, size, to); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(widen_target);
HWY_EXPORT(narrow_target);

void widen_bfloat16(const std::uint16_t* from, std::int64_t size, float* to) {
  HWY_DYNAMIC_DISPATCH(widen_target)(from, size, to);
}

void narrow_to_bfloat16(const float* from, std::int64_t size, std::uint16_t* to) {
  HWY_DYNAMIC_DISPATCH(narrow_target)(from, size, to);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
