// The shapes of the eight tiles of AMX.
#pragma once

#include <cstdint>

namespace xlstm::kernels {

/// As _tile_loadconfig reads it; by default every tile is 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

}  // namespace xlstm::kernels
