// Weights on their way into the cache while others are in use.
#pragma once

#include <algorithm>
#include <cstdint>

#include "xlstm/kernels/cpu/gemv.h"

namespace xlstm::kernels {

/// Memory that will be read next, `rows` pieces of `row_lines` cache lines: fetch() asks for a few of them, which comes
/// between two pieces of arithmetic and costs less than one wait for memory. The default fetches nothing.
struct Ahead {
  const char* row = nullptr;
  std::int64_t stride = 0, row_lines = 0, rows = 0;
  std::int64_t lines_per_fetch = 0;
  std::int64_t line = 0;  // of the current row

  void fetch() {
    for (std::int64_t i = 0; i < lines_per_fetch && rows > 0; ++i) {
      __builtin_prefetch(row + line * 64, 0, 2);  // into the second-level cache
      if (++line == row_lines) {
        line = 0;
        row += stride;
        --rows;
      }
    }
  }
};

/// What a thread reads after columns [k, k + step) of rows [begin, end): the next columns, or the next rows. `fetches`:
/// how often fetch() will be called until then.
inline Ahead ahead_of(const MatrixView& w, std::int64_t begin, std::int64_t end, std::int64_t k, std::int64_t step,
                      std::int64_t fetches) {
  const std::int64_t next_k = k + step < w.cols ? k + step : 0;
  const std::int64_t next_row = next_k > 0 ? begin : end;
  const std::int64_t bits = w.quantized() ? w.groups.bits : static_cast<std::int64_t>(8 * dtype_size(w.dtype));
  Ahead ahead;
  ahead.stride = w.row_bytes();
  ahead.row = static_cast<const char*>(w.data) + next_row * ahead.stride + next_k * bits / 8;
  ahead.row_lines = (std::min(step, w.cols - next_k) * bits / 8 + 63) / 64;
  ahead.rows = std::min(end - begin, w.rows - next_row);
  fetches = std::max<std::int64_t>(1, fetches);
  ahead.lines_per_fetch = (ahead.rows * ahead.row_lines + fetches - 1) / fetches;
  return ahead;
}

}  // namespace xlstm::kernels
