#include "xlstm/kernels/cpu/convert.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/convert.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using Bits = hn::RebindToUnsigned<D>;
using Halves = hn::Rebind<std::uint16_t, D>;

HWY_INLINE hn::Vec<D> load_bfloat16(const std::uint16_t* from) {
  return hn::BitCast(D(), hn::ShiftLeft<16>(hn::PromoteTo(Bits(), hn::LoadU(Halves(), from))));
}

HWY_INLINE void store_bfloat16(hn::Vec<D> value, std::uint16_t* to) {
  const Bits d;
  const auto bits = hn::BitCast(d, value), high = hn::ShiftRight<16>(bits);
  const auto half = hn::Add(hn::Set(d, 0x7fff), hn::And(high, hn::Set(d, 1)));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, half));
  const auto quiet = hn::Or(high, hn::Set(d, 0x40));
  const auto is_nan = hn::RebindMask(d, hn::IsNaN(value));
  const auto result = hn::IfThenElse(is_nan, quiet, rounded);
  hn::StoreU(hn::DemoteTo(Halves(), hn::BitCast(hn::RebindToSigned<D>(), result)), Halves(), to);
}

#if HWY_TARGET != HWY_SCALAR  // whose own conversion takes infinity and NaN for large numbers
using Float16 = hn::Rebind<hwy::float16_t, D>;

HWY_INLINE hn::Vec<D> load_float16(const std::uint16_t* from) {
  return hn::PromoteTo(D(), hn::LoadU(Float16(), reinterpret_cast<const hwy::float16_t*>(from)));
}
HWY_INLINE void store_float16(hn::Vec<D> value, std::uint16_t* to) {
  hn::StoreU(hn::DemoteTo(Float16(), value), Float16(), reinterpret_cast<hwy::float16_t*>(to));
}
#endif

// Full vectors with `vector`; returns what is left to do.
template <class F>
HWY_INLINE std::int64_t for_each_full_vector(std::int64_t count, F&& vector) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) vector(i);
  return i;
}

void widen_target(DType dtype, const void* from, std::int64_t count, float* to) {
  const auto* halves = static_cast<const std::uint16_t*>(from);
  std::int64_t done = 0;
  if (dtype == DType::bfloat16) {
    done = for_each_full_vector(count,
                                [&](std::int64_t i) HWY_ATTR { hn::StoreU(load_bfloat16(halves + i), D(), to + i); });
  }
#if HWY_TARGET != HWY_SCALAR
  if (dtype == DType::float16) {
    done = for_each_full_vector(count,
                                [&](std::int64_t i) HWY_ATTR { hn::StoreU(load_float16(halves + i), D(), to + i); });
  }
#endif
  const auto* rest = static_cast<const std::byte*>(from) + static_cast<std::size_t>(done) * dtype_size(dtype);
  widen_to_float32(dtype, rest, static_cast<std::size_t>(count - done), to + done);
}

void narrow_target(DType dtype, const float* from, std::int64_t count, void* to) {
  auto* halves = static_cast<std::uint16_t*>(to);
  std::int64_t done = 0;
  if (dtype == DType::bfloat16) {
    done = for_each_full_vector(count,
                                [&](std::int64_t i) HWY_ATTR { store_bfloat16(hn::LoadU(D(), from + i), halves + i); });
  }
#if HWY_TARGET != HWY_SCALAR
  if (dtype == DType::float16) {
    done = for_each_full_vector(count,
                                [&](std::int64_t i) HWY_ATTR { store_float16(hn::LoadU(D(), from + i), halves + i); });
  }
#endif
  auto* rest = static_cast<std::byte*>(to) + static_cast<std::size_t>(done) * dtype_size(dtype);
  narrow_from_float32(dtype, from + done, static_cast<std::size_t>(count - done), rest);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(widen_target);
HWY_EXPORT(narrow_target);

void widen(DType dtype, const void* from, std::int64_t count, float* to) {
  HWY_DYNAMIC_DISPATCH(widen_target)(dtype, from, count, to);
}

void narrow(DType dtype, const float* from, std::int64_t count, void* to) {
  HWY_DYNAMIC_DISPATCH(narrow_target)(dtype, from, count, to);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
