#include "xlstm/kernels/cpu/panel_gemm.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/panel_gemm.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/micro_gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// `count` stored weights -> float32.
HWY_INLINE void unpack(DType dtype, const std::byte* from, std::int64_t count, float* to) {
  const hn::ScalableTag<float> d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  if (dtype == DType::bfloat16) {
    const hn::Rebind<std::uint16_t, decltype(d)> d16;
    const hn::RebindToUnsigned<decltype(d)> d32;
    const auto* w = reinterpret_cast<const std::uint16_t*>(from);
    for (; i + n <= count; i += n) {
      hn::StoreU(hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, w + i)))), d, to + i);
    }
  } else if (dtype == DType::float16 && HWY_TARGET != HWY_SCALAR) {  // its PromoteTo knows neither Inf nor NaN
    const hn::Rebind<hwy::float16_t, decltype(d)> d16;
    const auto* w = reinterpret_cast<const hwy::float16_t*>(from);
    for (; i + n <= count; i += n) hn::StoreU(hn::PromoteTo(d, hn::LoadU(d16, w + i)), d, to + i);
  }
  if (i < count) {
    widen_to_float32(dtype, from + i * static_cast<std::int64_t>(dtype_size(dtype)),
                     static_cast<std::size_t>(count - i), to + i);
  }
}

void panel_gemm_target(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const float* x,
                       std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                       float* scratch) {
  const auto* weights = static_cast<const std::byte*>(w.data);
  const auto element = static_cast<std::int64_t>(dtype_size(w.dtype));
  std::int64_t k = 0;
  do {  // once for no columns: y is then zero, or what it was
    const std::int64_t cols = std::min(kGemmCols, w.cols - k);
    for (std::int64_t r = row_begin; r < row_end; ++r) {
      unpack(w.dtype, weights + (r * w.cols + k) * element, cols, scratch + (r - row_begin) * kGemmCols);
    }
    const float beta = accumulate || k > 0 ? 1.0f : 0.0f;
    for (std::int64_t p = 0; p < panels; ++p) {
      gemm16({scratch, kGemmCols, 1, x + p * x_stride + k * kPanelWidth, kPanelWidth,
              y + p * y_stride + row_begin * kPanelWidth, kPanelWidth, cols, beta},
             row_end - row_begin);
    }
    k += kGemmCols;
  } while (k < w.cols);
}

void panel_gemm_small_target(const float* w, std::int64_t rows, std::int64_t cols, const float* x,
                             std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels) {
  for (std::int64_t p = 0; p < panels; ++p) {
    gemm16({w, cols, 1, x + p * x_stride, kPanelWidth, y + p * y_stride, kPanelWidth, cols, 0.0f}, rows);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {

HWY_EXPORT(panel_gemm_target);
HWY_EXPORT(panel_gemm_small_target);

void panel_gemm(const MatrixView& w, std::int64_t row_begin, std::int64_t row_end, const float* x,
                std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate,
                float* scratch) {
  HWY_DYNAMIC_DISPATCH(panel_gemm_target)(w, row_begin, row_end, x, x_stride, y, y_stride, panels, accumulate, scratch);
}

void panel_gemm_small(const float* w, std::int64_t rows, std::int64_t cols, const float* x, std::int64_t x_stride,
                      float* y, std::int64_t y_stride, std::int64_t panels) {
  HWY_DYNAMIC_DISPATCH(panel_gemm_small_target)(w, rows, cols, x, x_stride, y, y_stride, panels);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
