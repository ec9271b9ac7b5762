#include "xlstm/kernels/cpu/vector_ops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/vector_ops.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/math-inl.h"

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;

HWY_INLINE float sum_of_squares(const float* x, std::int64_t size, float mean) {
  const D d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto center = hn::Set(d, mean);
  auto a = hn::Zero(d), b = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + 2 * n <= size; i += 2 * n) {
    const auto x0 = hn::Sub(hn::LoadU(d, x + i), center), x1 = hn::Sub(hn::LoadU(d, x + i + n), center);
    a = hn::MulAdd(x0, x0, a);
    b = hn::MulAdd(x1, x1, b);
  }
  float tail = 0;
  for (; i < size; ++i) tail += (x[i] - mean) * (x[i] - mean);
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(a, b))) + tail;
}

HWY_INLINE float sum(const float* x, std::int64_t size) {
  const D d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  auto a = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + n <= size; i += n) a = hn::Add(a, hn::LoadU(d, x + i));
  float tail = 0;
  for (; i < size; ++i) tail += x[i];
  return hn::GetLane(hn::SumOfLanes(d, a)) + tail;
}

HWY_INLINE void write_normalized(const float* x, std::int64_t size, float mean, float scale, const float* weight,
                                 const float* bias, float* y) {
  for_each_vector(size, [&](auto d, std::int64_t i) HWY_ATTR {
    auto value = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, scale));
    if (weight != nullptr) value = hn::Mul(value, hn::LoadU(d, weight + i));
    if (bias != nullptr) value = hn::Add(value, hn::LoadU(d, bias + i));
    hn::StoreU(value, d, y + i);
  });
}

void rms_norm_target(const float* x, std::int64_t size, const float* weight, const float* bias, float eps, float* y) {
  const float mean_square = sum_of_squares(x, size, 0.0f) / static_cast<float>(size);
  write_normalized(x, size, 0.0f, 1.0f / std::sqrt(mean_square + eps), weight, bias, y);
}

void group_norm_target(const float* x, std::int64_t size, std::int64_t groups, const float* weight, const float* bias,
                       float eps, float* y) {
  const std::int64_t width = size / groups;
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t at = g * width;
    const float mean = sum(x + at, width) / static_cast<float>(width);
    const float variance = sum_of_squares(x + at, width, mean) / static_cast<float>(width);
    write_normalized(x + at, width, mean, 1.0f / std::sqrt(variance + eps), weight != nullptr ? weight + at : nullptr,
                     bias != nullptr ? bias + at : nullptr, y + at);
  }
}

void scale_target(float* x, std::int64_t size, float scale) {
  for_each_vector(size, [&](auto d, std::int64_t i)
                            HWY_ATTR { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, scale)), d, x + i); });
}

void slstm_target(const float* i_raw, const float* f_raw, const float* z_raw, const float* o_raw, std::int64_t size,
                  float* y, float* c, float* n, float* m) {
  for_each_vector(size, [&](auto d, std::int64_t u) HWY_ATTR {
    const auto i = hn::LoadU(d, i_raw + u);
    const auto n_old = hn::LoadU(d, n + u);
    const auto kept = hn::Add(hn::LoadU(d, m + u), log_sigmoid(d, hn::LoadU(d, f_raw + u)));
    const auto fresh = hn::Eq(n_old, hn::Zero(d));
    const auto both = hn::Add(i, kept);  // NaN when either is
    const auto m_new = hn::IfThenElse(hn::IsNaN(both), both, hn::IfThenElse(fresh, i, hn::Max(i, kept)));
    // Exponents are <= 0 but for a fresh unit, whose forget gate the reference cuts at 1 as well. 1 where both sides
    // are -inf.
    const auto gate = [&](auto x) HWY_ATTR {
      return hn::IfThenElse(hn::Ge(x, m_new), hn::Set(d, 1.0f), exp_any(d, hn::Sub(x, m_new)));
    };
    const auto ig = gate(i), fg = gate(kept);
    const auto c_new = hn::MulAdd(fg, hn::LoadU(d, c + u), hn::Mul(ig, hn::Tanh(d, hn::LoadU(d, z_raw + u))));
    const auto n_new = hn::MulAdd(fg, n_old, ig);
    hn::StoreU(hn::Mul(sigmoid(d, hn::LoadU(d, o_raw + u)), hn::Div(c_new, n_new)), d, y + u);
    hn::StoreU(c_new, d, c + u);
    hn::StoreU(n_new, d, n + u);
    hn::StoreU(m_new, d, m + u);
  });
}

void lstm_target(const float* i_raw, const float* f_raw, const float* z_raw, const float* o_raw, std::int64_t size,
                 float* y, float* c) {
  for_each_vector(size, [&](auto d, std::int64_t u) HWY_ATTR {
    const auto i = sigmoid(d, hn::LoadU(d, i_raw + u)), f = sigmoid(d, hn::LoadU(d, f_raw + u));
    const auto c_new = hn::MulAdd(f, hn::LoadU(d, c + u), hn::Mul(i, hn::Tanh(d, hn::LoadU(d, z_raw + u))));
    hn::StoreU(hn::Mul(sigmoid(d, hn::LoadU(d, o_raw + u)), hn::Tanh(d, c_new)), d, y + u);
    hn::StoreU(c_new, d, c + u);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(rms_norm_target);
HWY_EXPORT(group_norm_target);
HWY_EXPORT(scale_target);
HWY_EXPORT(slstm_target);
HWY_EXPORT(lstm_target);

void rms_norm(const float* x, std::int64_t size, const float* weight, const float* bias, float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(rms_norm_target)(x, size, weight, bias, eps, y);
}

void group_norm(const float* x, std::int64_t size, std::int64_t groups, const float* weight, const float* bias,
                float eps, float* y) {
  HWY_DYNAMIC_DISPATCH(group_norm_target)(x, size, groups, weight, bias, eps, y);
}

void scale_in_place(float* x, std::int64_t size, float scale) { HWY_DYNAMIC_DISPATCH(scale_target)(x, size, scale); }

void slstm_pointwise(const float* i, const float* f, const float* z, const float* o, std::int64_t size, float* y,
                     float* c, float* n, float* m) {
  HWY_DYNAMIC_DISPATCH(slstm_target)(i, f, z, o, size, y, c, n, m);
}

void lstm_pointwise(const float* i, const float* f, const float* z, const float* o, std::int64_t size, float* y,
                    float* c) {
  HWY_DYNAMIC_DISPATCH(lstm_target)(i, f, z, o, size, y, c);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
