#include "xlstm/kernels/cpu/mlstm_steps.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/mlstm_steps.cpp"
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

constexpr std::int64_t kRowsPerPass = 4;  // of C, as in mlstm_step.cpp

/// Rows [a, a + R) of C, which stay in registers from the first token to the last.
template <int R, class T>
HWY_INLINE void update_rows(const MlstmSteps& s, std::int64_t a, std::int64_t width, std::int64_t stride, T* c) {
  float input_k[kMaxMlstmSteps][R], forget[kMaxMlstmSteps];
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const MlstmGates& gates = s.gates[t * s.gate_stride];
    forget[t] = gates.forget;
    for (int r = 0; r < R; ++r) input_k[t][r] = gates.input * s.k[t * s.k_stride + a + r];
  }
  for_each_vector(width, [&](auto d, std::int64_t b) HWY_ATTR {
    hn::Vec<decltype(d)> rows[R];
    for (int r = 0; r < R; ++r) rows[r] = load_kept(d, c + r * stride + b);
    const auto advance = [&](std::int64_t t, int r) HWY_ATTR {
      const auto vb = hn::LoadU(d, s.v + t * s.v_stride + b);
      return hn::MulAdd(hn::Set(d, input_k[t][r]), vb, hn::Mul(hn::Set(d, forget[t]), rows[r]));
    };
    for (std::int64_t t = 0; t < s.kept; ++t) {
      for (int r = 0; r < R; ++r) rows[r] = as_kept<T>(d, advance(t, r));
    }
    if (s.kept > 0) {
      for (int r = 0; r < R; ++r) store_kept(d, rows[r], c + r * stride + b);
    }
    for (std::int64_t t = s.kept; t < s.tokens; ++t) {
      float* const h = s.h + t * s.h_stride + b;
      auto hb = hn::LoadU(d, h);
      for (int r = 0; r < R; ++r) {
        const auto cb = advance(t, r);
        hb = hn::MulAdd(hn::Set(d, s.q[t * s.q_stride + a + r]), cb, hb);
        rows[r] = as_kept<T>(d, cb);
      }
      hn::StoreU(hb, d, h);
    }
  });
}

template <class T>
HWY_INLINE void steps_slice(const MlstmSteps& s, std::int64_t qk, std::int64_t width, std::int64_t stride, T* c) {
  for (std::int64_t t = s.kept; t < s.tokens; ++t) std::fill_n(s.h + t * s.h_stride, width, 0.0f);
  std::int64_t a = 0;
  for (; a + kRowsPerPass <= qk; a += kRowsPerPass) update_rows<kRowsPerPass>(s, a, width, stride, c + a * stride);
  for (; a < qk; ++a) update_rows<1>(s, a, width, stride, c + a * stride);
}

void steps_slice_target(const MlstmSteps& s, std::int64_t qk, std::int64_t width, std::int64_t stride, MatrixMemory c) {
  if (c.dtype == DType::bfloat16) {
    steps_slice(s, qk, width, stride, static_cast<std::uint16_t*>(c.data));
  } else {
    steps_slice(s, qk, width, stride, static_cast<float*>(c.data));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(steps_slice_target);

void mlstm_steps_slice(const MlstmSteps& steps, std::int64_t qk, std::int64_t width, std::int64_t c_stride,
                       MatrixMemory c) {
  HWY_DYNAMIC_DISPATCH(steps_slice_target)(steps, qk, width, c_stride, c);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
