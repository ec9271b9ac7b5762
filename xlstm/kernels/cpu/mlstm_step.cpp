#include "xlstm/kernels/cpu/mlstm_step.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/mlstm_step.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/bfloat16-inl.h"
#include "xlstm/kernels/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Rows of C per pass: h and v are loaded once for four rows of C, which makes the loop 4 loads and 4 stores of C beside
// 2 loads and 1 store that stay in the first-level cache.
constexpr std::int64_t kRowsPerPass = 4;

template <int R, class T>
HWY_INLINE void update_rows(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t width,
                            std::int64_t stride, T* c, float* h) {
  float input_k[R], qs[R];  // not k and q themselves, which h might overlap for all the compiler knows
  for (int r = 0; r < R; ++r) input_k[r] = gates.input * k[r], qs[r] = q[r];
  for_each_vector(width, [&](auto d, std::int64_t b) HWY_ATTR {
    const auto forget = hn::Set(d, gates.forget);
    const auto vb = hn::LoadU(d, v + b);
    auto hb = hn::LoadU(d, h + b);
    for (int r = 0; r < R; ++r) {
      T* row = c + r * stride + b;
      const auto cb = hn::MulAdd(hn::Set(d, input_k[r]), vb, hn::Mul(forget, load_kept(d, row)));
      store_kept(d, cb, row);
      hb = hn::MulAdd(hn::Set(d, qs[r]), cb, hb);
    }
    hn::StoreU(hb, d, h + b);
  });
}

template <class T>
HWY_INLINE void step_slice(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t qk,
                           std::int64_t width, std::int64_t v_stride, T* c, float* h) {
  std::fill_n(h, width, 0.0f);
  std::int64_t a = 0;
  for (; a + kRowsPerPass <= qk; a += kRowsPerPass) {
    update_rows<kRowsPerPass>(gates, q + a, k + a, v, width, v_stride, c + a * v_stride, h);
  }
  for (; a < qk; ++a) update_rows<1>(gates, q + a, k + a, v, width, v_stride, c + a * v_stride, h);
}

void step_slice_target(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t qk,
                       std::int64_t width, std::int64_t v_stride, MatrixMemory c, float* h) {
  if (c.dtype == DType::bfloat16) {
    step_slice(gates, q, k, v, qk, width, v_stride, static_cast<std::uint16_t*>(c.data), h);
  } else {
    step_slice(gates, q, k, v, qk, width, v_stride, static_cast<float*>(c.data), h);
  }
}

float step_normalizer_target(const MlstmGates& gates, const float* q, const float* k, std::int64_t qk, float* n) {
  const hn::ScalableTag<float> d;
  auto sum = hn::Zero(d);
  float tail = 0;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t a = 0;
  for (; a + lanes <= qk; a += lanes) {
    const auto kept = hn::Mul(hn::Set(d, gates.forget), hn::LoadU(d, n + a));
    const auto next = hn::MulAdd(hn::Set(d, gates.input), hn::LoadU(d, k + a), kept);
    hn::StoreU(next, d, n + a);
    sum = hn::MulAdd(hn::LoadU(d, q + a), next, sum);
  }
  for (; a < qk; ++a) {
    n[a] = gates.forget * n[a] + gates.input * k[a];
    tail += q[a] * n[a];
  }
  return hn::GetLane(hn::SumOfLanes(d, sum)) + tail;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(step_slice_target);
HWY_EXPORT(step_normalizer_target);

MlstmGates mlstm_gates(float i_raw, float f_raw, float m) {
  const float log_f = std::min(f_raw, 0.0f) - std::log1p(std::exp(-std::fabs(f_raw)));
  const float m_new = mlstm_stabilizer(log_f + m, i_raw);
  return {std::exp(log_f + m - m_new), std::exp(i_raw - m_new), m_new};
}

float mlstm_denominator(float qn, float m, float eps) { return std::max(std::fabs(qn), std::exp(-m)) + eps; }

float mlstm_step_normalizer(const MlstmGates& gates, const float* q, const float* k, std::int64_t qk, float* n) {
  return HWY_DYNAMIC_DISPATCH(step_normalizer_target)(gates, q, k, qk, n);
}

void mlstm_step_slice(const MlstmGates& gates, const float* q, const float* k, const float* v, std::int64_t qk,
                      std::int64_t width, std::int64_t v_stride, MatrixMemory c, float* h) {
  HWY_DYNAMIC_DISPATCH(step_slice_target)(gates, q, k, v, qk, width, v_stride, c, h);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
