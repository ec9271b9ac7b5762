// Highway 1.0.3 has no target for dotprod: functions of this file carry the instruction set they need themselves.
#include "xlstm/kernels/cpu/neon_quantized_gemm.h"

#include "xlstm/base/error.h"

#if defined(__aarch64__)
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/neon_quantized_tile.h"
#include "xlstm/kernels/cpu/neon_target.h"

#define XLSTM_DOTPROD [[gnu::target(XLSTM_TARGET_DOTPROD)]]

namespace xlstm::kernels {
namespace {

/// Bytes of weights and of activations as one pass over a group multiplies them.
enum class Bytes {
  nibbles,  // weights of 4 bits by signed bytes
  shifted,  // weights of 8 bits, less 128, by signed bytes: the sums begin at the panel's offsets
  low,      // weights by unsigned low bytes
};

/// Each lane of sum += 4 bytes of x times those in lane kLane of w.
template <Bytes kBytes, int kLane>
XLSTM_DOTPROD inline void add_dot(int32x4_t& sum, uint8x16_t x, uint8x16_t w) {
  if constexpr (kBytes == Bytes::low) {
    XLSTM_ADD_PRODUCTS_LANE("udot", sum, x, w, kLane);
  } else {
    XLSTM_ADD_PRODUCTS_LANE("sdot", sum, x, w, kLane);
  }
}

/// Four columns, the first or second ones of the eight in w: two rows a vector.
template <Bytes kBytes, int kHalf>
XLSTM_DOTPROD inline void multiply_line(const uint8x16_t (&w)[kNeonRows / 2], const std::uint8_t* x, NeonSums& sums) {
  XLSTM_UNROLLED(int v = 0; v < kNeonVectors; ++v) {
    const uint8x16_t tokens = vld1q_u8(x + v * 16);
    XLSTM_UNROLLED(int i = 0; i < kNeonRows / 2; ++i) {
      add_dot<kBytes, kHalf>(sums[2 * i][v], tokens, w[i]);
      add_dot<kBytes, 2 + kHalf>(sums[2 * i + 1][v], tokens, w[i]);
    }
  }
}

template <Bytes kBytes>
XLSTM_DOTPROD inline void multiply_group(const std::uint8_t* w, const std::uint8_t* x, std::int64_t columns,
                                         NeonSums& sums) {
  for (std::int64_t c = 0; c < columns; c += kShortPiece, w += kNeonRows * kShortPiece, x += kShortPiece * W) {
    uint8x16_t weights[kNeonRows / 2];
    XLSTM_UNROLLED(int i = 0; i < kNeonRows / 2; ++i) {
      weights[i] = vld1q_u8(w + i * 16);
      if constexpr (kBytes == Bytes::shifted) weights[i] = veorq_u8(weights[i], vdupq_n_u8(128));
    }
    multiply_line<kBytes, 0>(weights, x, sums);
    multiply_line<kBytes, 1>(weights, x + 4 * W, sums);
  }
}

/// kSigned: how the weights meet int8 or high bytes.
template <Bytes kSigned, bool kPlanes>
XLSTM_DOTPROD void multiply_tile(const QuantizedTile& t, std::int64_t) {
  const auto* w = reinterpret_cast<const std::uint8_t*>(t.w);
  const auto* x = reinterpret_cast<const std::uint8_t*>(t.x);
  for (std::int64_t g = 0; g < t.groups; ++g, w += t.group_size * kNeonRows, x += t.group_size * W) {
    NeonSums sums;
    XLSTM_FOR_SUMS(r, v) {
      sums[r][v] = kSigned == Bytes::shifted ? vld1q_s32(t.offsets + g * W + v * 4) : vdupq_n_s32(0);
    }
    multiply_group<kSigned>(w, x, t.group_size, sums);
    if constexpr (kPlanes) {
      XLSTM_FOR_SUMS(r, v) sums[r][v] = vshlq_n_s32(sums[r][v], 8);
      multiply_group<Bytes::low>(w, x + t.low, t.group_size, sums);
    }
    add_scaled(t, g, sums);
  }
}

}  // namespace

QuantizedKernel neon_quantized_kernel(const QuantizedPanel& panel) {
  if (cpu_extensions().i8mm) return i8mm_quantized_kernel(panel);
  const bool planes = panel.order == QuantizedOrder::planes;
  const auto nibbles = planes ? multiply_tile<Bytes::nibbles, true> : multiply_tile<Bytes::nibbles, false>;
  const auto shifted = planes ? multiply_tile<Bytes::shifted, true> : multiply_tile<Bytes::shifted, false>;
  return {kNeonRows, 1, kShortPiece, false, panel.offsets != 0 ? shifted : nibbles, nullptr, nullptr};
}

}  // namespace xlstm::kernels

#else

namespace xlstm::kernels {

QuantizedKernel neon_quantized_kernel(const QuantizedPanel&) {
  fail(ErrorCode::internal, "dotprod", "not on this CPU");
}

}  // namespace xlstm::kernels
#endif
