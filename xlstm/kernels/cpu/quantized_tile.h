// What a product with quantised weights is made of: its register tile, and the order of q that the tile reads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/kernels/cpu/quantized_gemv.h"

namespace xlstm::kernels {

/// How the q of a panel lie. A line is 64 bytes, 4 of each of 16 tokens: an operand of the integer dot products, whose
/// other operand is 4 bytes of a row of weights, broadcast. Bytes may also lie 8 of each token (QuantizedPanel::run).
enum class QuantizedOrder {
  quads,   // int8 [cols / 4][16][4]
  pairs,   // int16 [cols / 2][16][2]
  planes,  // int16 as two bytes: the signed high ones as quads, then the unsigned low ones
};

/// The order for the CPU target in use.
QuantizedOrder quantized_order(const QuantizedFormat& format);

/// Where the parts of a quantised panel begin, in bytes from its own beginning, where q is.
struct QuantizedPanel {
  QuantizedOrder order = QuantizedOrder::pairs;
  std::int64_t run = 4;      // bytes of a token side by side: [cols / run][16][run]; 8 for products of 2 x 2 blocks
  std::int64_t low = 0;      // the second plane
  std::int64_t scales = 0;   // float32 [groups][16]
  std::int64_t sums = 0;     // float32 [groups][16]: scale * (sum of q), what a bias is multiplied by
  std::int64_t parts = 0;    // the same as amx_split_panel leaves it; only on AMX
  std::int64_t offsets = 0;  // int32 [groups][16]: 128 * (sum of q, or of its high bytes), where products are of signed
                             // weights, q - 128; else 0
  std::int64_t bytes = 0;    // of it all
};
QuantizedPanel quantized_panel(const QuantizedFormat& format, std::int64_t cols);

/// Groups and bytes of one row that are unpacked at a time, at most: a group is 32 bytes or more.
inline constexpr std::int64_t kTileGroups = 32;
inline constexpr std::int64_t kTileRowBytes = kTileGroups * 32;

/// A tile adds the product of some rows of unpacked weights and some panels to y, group by group.
struct QuantizedTile {
  const std::byte* w = nullptr;     // q [groups][group_size / piece][tile rows][piece]: in the order a kernel reads it
  const float* w_scales = nullptr;  // [tile rows][kTileGroups]
  const std::byte* x = nullptr;     // q of the first panel
  const float* x_scales = nullptr;  // and its scales
  std::int64_t x_stride = 0;        // bytes to the next panel's q and scales
  std::int64_t low = 0;             // bytes to the second plane
  const std::int32_t* offsets = nullptr;  // of the panel, if it has any
  float* y = nullptr;                     // [tile rows][16]
  std::int64_t y_stride = 0;              // floats to the next panel's
  std::int64_t groups = 0;
  std::int64_t group_size = 0;
};

inline constexpr std::int64_t kShortPiece = 8;

/// The register tile of a CPU target.
struct QuantizedKernel {
  std::int64_t rows, panels;  // of a tile
  std::int64_t piece;         // columns of a row side by side: 8 (kShortPiece), 32 or 64
  bool wide;                  // weights are unpacked to uint16, not to uint8
  void (*multiply)(const QuantizedTile& tile, std::int64_t panels);
  void (*begin)(std::int64_t group_size), (*end)();  // round the use of multiply; null: nothing to do
};

}  // namespace xlstm::kernels
