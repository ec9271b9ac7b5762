// The last rows of a matrix, when they do not fill a register tile.
#pragma once

#include <algorithm>
#include <cstdint>

#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::kernels {

/// multiply(y, y_stride) works on all of a tile's rows of every panel; with `rows` of them in y it does so in a copy.
template <class Multiply>
void multiply_rows_of_tile(std::int64_t rows, std::int64_t tile_rows, std::int64_t panels, float* y,
                           std::int64_t y_stride, const Multiply& multiply) {
  constexpr std::int64_t kMaxRows = 16, kMaxPanels = 2;
  if (rows >= tile_rows) return multiply(y, y_stride);
  alignas(64) float room[kMaxPanels * kMaxRows * kPanelWidth] = {};
  const std::int64_t size = rows * kPanelWidth, stride = tile_rows * kPanelWidth;
  for (std::int64_t p = 0; p < panels; ++p) std::copy_n(y + p * y_stride, size, room + p * stride);
  multiply(room, stride);
  for (std::int64_t p = 0; p < panels; ++p) std::copy_n(room + p * stride, size, y + p * y_stride);
}

}  // namespace xlstm::kernels
