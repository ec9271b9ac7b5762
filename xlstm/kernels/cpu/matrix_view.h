// How a matrix of weights reaches a kernel: where it lies, in the type it is stored in.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"

namespace xlstm::kernels {

/// Affine groups as MLX stores them: w[r, c] = scales[r, g] * q[r, c] + biases[r, g], g = c / group_size.
struct AffineGroupsView {
  int bits = 0;                 // of a q: 4 or 8; 0: the matrix is not quantised
  std::int64_t group_size = 0;  // 32, 64 or 128
  DType dtype = DType::bfloat16;
  const void* scales = nullptr;  // [rows, cols / group_size]
  const void* biases = nullptr;  // the same
};

/// Row-major [rows, cols]; float32, float16 or bfloat16, aligned to the element size; or, with groups.bits, uint32 with
/// 32 / bits unsigned q in each, the first column in the lowest bits (rows of cols * bits / 32 words).
struct MatrixView {
  DType dtype = DType::float32;
  const void* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  AffineGroupsView groups = {};

  bool quantized() const noexcept { return groups.bits != 0; }
  /// Bytes of a row of `data`.
  std::int64_t row_bytes() const noexcept {
    return quantized() ? cols * groups.bits / 8 : cols * static_cast<std::int64_t>(dtype_size(dtype));
  }
};

/// Rows [begin, end) of a matrix and, if offset is not 0, as many more from begin + offset on: two streams of memory,
/// which a kernel reads side by side.
struct RowRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t offset = 0;
};

/// How a range is read: `count` rows from its begin on, each side by side with the one `offset` behind it, then the
/// rows [rest_begin, rest_end) alone. A range that names no second stream is halved.
struct TwoStreams {
  std::int64_t count, offset, rest_begin, rest_end;

  explicit constexpr TwoStreams(const RowRange& rows) {
    const std::int64_t size = rows.end - rows.begin;
    count = rows.offset != 0 ? size : size / 2;
    offset = rows.offset != 0 ? rows.offset : count;
    rest_end = rows.end;
    rest_begin = rows.offset != 0 ? rows.end : rows.begin + 2 * count;
  }
};

}  // namespace xlstm::kernels
