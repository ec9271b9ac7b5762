#include "xlstm/kernels/cpu/quantized_gemv.h"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/quantized_gemv.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "xlstm/kernels/cpu/affine_parameters-inl.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/quantized_layout.h"
#include "xlstm/kernels/cpu/stream.h"

#ifndef XLSTM_KERNELS_CPU_QUANTIZED_GEMV_ONCE_
#define XLSTM_KERNELS_CPU_QUANTIZED_GEMV_ONCE_
namespace xlstm::kernels {
/// Scales and biases are fetched so far ahead, a few rows; weights as stream.h says.
inline constexpr std::int64_t kPrefetchParameters = 512;
/// Rows of weights that all of a large batch goes through before the next: half of a first-level cache.
inline constexpr std::int64_t kRowBlockBytes = 8192;

/// The arguments of quantized_gemv.
struct QuantizedProduct {
  const MatrixView& w;
  DType type;
  RowRange rows;
  const std::byte* x;
  std::int64_t x_stride, batch;
  float* y;
  std::int64_t y_stride;
};

}  // namespace xlstm::kernels
#endif

// Every target once, and those that have a variant with integer dot products once more.
#define XLSTM_VNNI 0
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#undef XLSTM_VNNI
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#define XLSTM_VNNI 1
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#undef XLSTM_VNNI
#endif

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET != HWY_AVX2 && HWY_TARGET != HWY_AVX3
namespace vnni = plain;
#endif

std::int64_t element_bytes_target(bool has_vnni, DType type, int weight_bits) {
  return has_vnni ? vnni::element_bytes(type, weight_bits) : plain::element_bytes(type, weight_bits);
}

void quantized_gemv_target(bool has_vnni, const QuantizedProduct& product) {
  has_vnni ? vnni::multiply(product) : plain::multiply(product);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {
namespace {

HWY_EXPORT(element_bytes_target);
HWY_EXPORT(quantized_gemv_target);

bool has_vnni() {
  const CpuExtensions cpu = cpu_extensions();
  return cpu.avx_vnni || cpu.avx512_vnni;
}

}  // namespace

QuantizedLayout quantized_layout(const QuantizedFormat& format, std::int64_t cols) {
  const bool vnni = has_vnni();  // first: it applies XLSTM_CPU_TARGET
  return {format, cols, HWY_DYNAMIC_DISPATCH(element_bytes_target)(vnni, format.type, format.weight_bits)};
}

void quantized_gemv(const MatrixView& w, DType type, const RowRange& rows, const std::byte* x, std::int64_t x_stride,
                    std::int64_t batch, float* y, std::int64_t y_stride) {
  const bool vnni = has_vnni();
  HWY_DYNAMIC_DISPATCH(quantized_gemv_target)
  (vnni, {w, type, rows, x, x_stride, batch, y, y_stride});
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
