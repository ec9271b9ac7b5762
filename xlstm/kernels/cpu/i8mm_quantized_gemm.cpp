// Highway 1.0.3 has no target for i8mm: functions of this file carry the instruction sets they need themselves.
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/neon_quantized_gemm.h"

#if defined(__aarch64__)
#include "xlstm/kernels/cpu/neon_quantized_tile.h"
#include "xlstm/kernels/cpu/neon_target.h"

#define XLSTM_I8MM [[gnu::target(XLSTM_TARGET_I8MM)]]

namespace xlstm::kernels {
namespace {

/// Two rows times two tokens: [row][token].
using Blocks = int32x4_t[kNeonRows / 2][2 * kNeonVectors];
#define XLSTM_FOR_BLOCKS(i, j) \
  XLSTM_UNROLLED(int i = 0; i < kNeonRows / 2; ++i) XLSTM_UNROLLED(int j = 0; j < 2 * kNeonVectors; ++j)

/// sum += w [2 rows][8] times x [2 tokens][8]
template <bool kSigned>
XLSTM_I8MM inline void add_block(int32x4_t& sum, uint8x16_t w, uint8x16_t x) {
  if constexpr (kSigned) {
    XLSTM_ADD_PRODUCTS("usmmla", sum, w, x);
  } else {
    XLSTM_ADD_PRODUCTS("ummla", sum, w, x);
  }
}

/// Unsigned weights by signed or unsigned bytes.
template <bool kSigned>
XLSTM_I8MM inline void multiply_group(const std::uint8_t* w, const std::uint8_t* x, std::int64_t columns,
                                      Blocks& sums) {
  for (std::int64_t c = 0; c < columns; c += kShortPiece, w += kNeonRows * kShortPiece, x += kShortPiece * W) {
    uint8x16_t weights[kNeonRows / 2];
    XLSTM_UNROLLED(int i = 0; i < kNeonRows / 2; ++i) weights[i] = vld1q_u8(w + i * 16);
    XLSTM_UNROLLED(int j = 0; j < 2 * kNeonVectors; ++j) {
      const uint8x16_t tokens = vld1q_u8(x + j * 16);
      XLSTM_UNROLLED(int i = 0; i < kNeonRows / 2; ++i) { add_block<kSigned>(sums[i][j], weights[i], tokens); }
    }
  }
}

/// Row by row.
XLSTM_I8MM inline void rows_of_blocks(const Blocks& blocks, NeonSums& rows) {
  XLSTM_FOR_SUMS(r, v) {
    const int64x2_t a = vreinterpretq_s64_s32(blocks[r / 2][2 * v]),
                    b = vreinterpretq_s64_s32(blocks[r / 2][2 * v + 1]);
    rows[r][v] = vreinterpretq_s32_s64(r % 2 == 0 ? vzip1q_s64(a, b) : vzip2q_s64(a, b));
  }
}

template <bool kPlanes>
XLSTM_I8MM void multiply_tile(const QuantizedTile& t, std::int64_t) {
  const auto* w = reinterpret_cast<const std::uint8_t*>(t.w);
  const auto* x = reinterpret_cast<const std::uint8_t*>(t.x);
  for (std::int64_t g = 0; g < t.groups; ++g, w += t.group_size * kNeonRows, x += t.group_size * W) {
    Blocks blocks;
    XLSTM_FOR_BLOCKS(i, j) blocks[i][j] = vdupq_n_s32(0);
    multiply_group<true>(w, x, t.group_size, blocks);
    if constexpr (kPlanes) {
      XLSTM_FOR_BLOCKS(i, j) blocks[i][j] = vshlq_n_s32(blocks[i][j], 8);
      multiply_group<false>(w, x + t.low, t.group_size, blocks);
    }
    NeonSums sums;
    rows_of_blocks(blocks, sums);
    add_scaled(t, g, sums);
  }
}

}  // namespace

QuantizedKernel i8mm_quantized_kernel(const QuantizedPanel& panel) {
  const auto multiply = panel.order == QuantizedOrder::planes ? multiply_tile<true> : multiply_tile<false>;
  return {kNeonRows, 1, kShortPiece, false, multiply, nullptr, nullptr};
}

}  // namespace xlstm::kernels

#else

namespace xlstm::kernels {

QuantizedKernel i8mm_quantized_kernel(const QuantizedPanel&) { fail(ErrorCode::internal, "i8mm", "not on this CPU"); }

}  // namespace xlstm::kernels
#endif
