// Rows <-> columns, in blocks of 4 x 4 that stay in registers.
// Included once per CPU target, inside foreach_target.

#if defined(XLSTM_KERNELS_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef XLSTM_KERNELS_CPU_TRANSPOSE_INL_H_
#undef XLSTM_KERNELS_CPU_TRANSPOSE_INL_H_
#else
#define XLSTM_KERNELS_CPU_TRANSPOSE_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// from [4][cols] -> to [cols][4]; strides in floats.
HWY_INLINE void transpose_4_rows(const float* from, std::int64_t cols, std::int64_t from_stride, float* to,
                                 std::int64_t to_stride) {
  std::int64_t c = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  for (; c + 4 <= cols; c += 4, from += 4, to += 4 * to_stride) {
    const auto row0 = hn::LoadU(d, from), row1 = hn::LoadU(d, from + from_stride);
    const auto row2 = hn::LoadU(d, from + 2 * from_stride), row3 = hn::LoadU(d, from + 3 * from_stride);
    const auto lower01 = hn::InterleaveLower(d, row0, row1), lower23 = hn::InterleaveLower(d, row2, row3);
    const auto upper01 = hn::InterleaveUpper(d, row0, row1), upper23 = hn::InterleaveUpper(d, row2, row3);
    hn::StoreU(hn::ConcatLowerLower(d, lower23, lower01), d, to);
    hn::StoreU(hn::ConcatUpperUpper(d, lower23, lower01), d, to + to_stride);
    hn::StoreU(hn::ConcatLowerLower(d, upper23, upper01), d, to + 2 * to_stride);
    hn::StoreU(hn::ConcatUpperUpper(d, upper23, upper01), d, to + 3 * to_stride);
  }
#endif
  for (; c < cols; ++c, ++from, to += to_stride) {
    for (std::int64_t r = 0; r < 4; ++r) to[r] = from[r * from_stride];
  }
}

/// from [rows][cols] -> to [cols][rows].
HWY_INLINE void transpose(const float* from, std::int64_t rows, std::int64_t cols, std::int64_t from_stride, float* to,
                          std::int64_t to_stride) {
  const std::int64_t fours = rows / 4 * 4;
  for (std::int64_t r = 0; r < fours; r += 4) {
    transpose_4_rows(from + r * from_stride, cols, from_stride, to + r, to_stride);
  }
  for (std::int64_t r = fours; r < rows; ++r) {
    for (std::int64_t c = 0; c < cols; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#endif  // XLSTM_KERNELS_CPU_TRANSPOSE_INL_H_
