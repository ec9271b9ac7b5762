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
#include "xlstm/kernels/cpu/neon_target.h"
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

/// What a target of Highway's has for a CPU: bytes of a q in memory, and the product.
struct QuantizedVariant {
  std::int64_t (*element_bytes)(DType type, int weight_bits);
  void (*multiply)(const QuantizedProduct& product);
};

}  // namespace xlstm::kernels
#endif

// Every target once, and once more for each of its variants with integer dot products.
#define XLSTM_VNNI 0
#define XLSTM_NEON_DOTPROD 0
#define XLSTM_NEON_I8MM 0
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#undef XLSTM_VNNI
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
#define XLSTM_VNNI 1
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#undef XLSTM_VNNI
#elif HWY_ARCH_ARM_A64
#undef XLSTM_NEON_DOTPROD
#define XLSTM_NEON_DOTPROD 1
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#undef XLSTM_NEON_I8MM
#define XLSTM_NEON_I8MM 1
#include "xlstm/kernels/cpu/quantized_gemv-inl.h"
#endif
#undef XLSTM_NEON_DOTPROD
#undef XLSTM_NEON_I8MM

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

QuantizedVariant variant_target(const CpuExtensions& cpu) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  if (cpu.avx_vnni || cpu.avx512_vnni) return {vnni::element_bytes, vnni::multiply};
#elif HWY_ARCH_ARM_A64
  if (cpu.i8mm) return {i8mm::element_bytes, i8mm::multiply};
  if (cpu.dotprod) return {dotprod::element_bytes, dotprod::multiply};
#else
  (void)cpu;
#endif
  return {plain::element_bytes, plain::multiply};
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xlstm::kernels {
namespace {

HWY_EXPORT(variant_target);

QuantizedVariant variant() {
  const CpuExtensions cpu = cpu_extensions();  // first: it applies XLSTM_CPU_TARGET
  return HWY_DYNAMIC_DISPATCH(variant_target)(cpu);
}

}  // namespace

QuantizedLayout quantized_layout(const QuantizedFormat& format, std::int64_t cols) {
  return {format, cols, variant().element_bytes(format.type, format.weight_bits), cpu_extensions().dotprod};
}

void quantized_gemv(const MatrixView& w, DType type, const RowRange& rows, const std::byte* x, std::int64_t x_stride,
                    std::int64_t batch, float* y, std::int64_t y_stride) {
  variant().multiply({w, type, rows, x, x_stride, batch, y, y_stride});
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
