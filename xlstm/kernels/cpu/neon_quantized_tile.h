// What the tiles of neon_quantized_gemm.h share. Only for aarch64.
#pragma once

#include <arm_neon.h>

#include "xlstm/kernels/cpu/neon_quantized_gemm.h"
#include "xlstm/kernels/cpu/panel.h"

// Loops over the sums of a tile are unrolled entirely: that keeps their array in registers.
#define XLSTM_UNROLLED _Pragma("GCC unroll 8") for
#define XLSTM_FOR_SUMS(r, v) \
  XLSTM_UNROLLED(int r = 0; r < kNeonRows; ++r) XLSTM_UNROLLED(int v = 0; v < kNeonVectors; ++v)

namespace xlstm::kernels {

inline constexpr std::int64_t W = kPanelWidth;

using NeonSums = int32x4_t[kNeonRows][kNeonVectors];

/// y += scale_w * scale_x * sum for group g.
[[gnu::always_inline]] inline void add_scaled(const QuantizedTile& t, std::int64_t g, const NeonSums& sums) {
  const float* const w_scales = t.w_scales + g;
  float* y = t.y;
  float32x4_t x_scales[kNeonVectors];
  XLSTM_UNROLLED(int v = 0; v < kNeonVectors; ++v) x_scales[v] = vld1q_f32(t.x_scales + g * W + v * 4);
  XLSTM_UNROLLED(int r = 0; r < kNeonRows; ++r) {
    const float w_scale = w_scales[r * kTileGroups];
    XLSTM_UNROLLED(int v = 0; v < kNeonVectors; ++v, y += 4) {
      const float32x4_t scaled = vmulq_f32(vcvtq_f32_s32(sums[r][v]), x_scales[v]);
      vst1q_f32(y, vfmaq_n_f32(vld1q_f32(y), scaled, w_scale));
    }
  }
}

}  // namespace xlstm::kernels
