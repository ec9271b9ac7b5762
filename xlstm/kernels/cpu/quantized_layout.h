// How a quantised vector of activations lies in memory.
#pragma once

#include <cstdint>

#include "xlstm/kernels/cpu/quantized_gemv.h"
#include "xlstm/kernels/cpu/stream.h"

namespace xlstm::kernels {

/// Words of weights (uint32) in a cache line.
inline constexpr std::int64_t kLineWords = kLineBytes / 4;
/// Groups whose scales are loaded together; the arrays of a vector are filled up to a multiple of it with zeros.
inline constexpr std::int64_t kBlockGroups = 16;

/// num_groups float32 scales s, as many s * (sum of the group's q), then q: for every line of a row of weights `parts`
/// lines, with 4 bytes for each of its 16 words, zeros past the last column. A word holds 32 / bits columns, and
/// element e of its 4 bytes in part p belongs to column e * parts + p: the weight that stands in element e of the word
/// after a shift by p * bits and under a mask. So one layout serves every length of vectors. An int16 in two planes
/// lies there as two bytes, as if there were two vectors of bytes: of every line first all parts of the signed high
/// ones, then those of the unsigned low ones.
struct QuantizedLayout {
  std::int64_t num_groups;     // a multiple of kBlockGroups
  std::int64_t element_bytes;  // 1 or 2; int8 takes 2 where the CPU multiplies such weights by int16 only
  std::int64_t parts;          // 1, 2 or 4
  bool planes;                 // of int16

  QuantizedLayout(const QuantizedFormat& format, std::int64_t cols, std::int64_t bytes_of_q, bool byte_products = false)
      : num_groups((cols / format.group_size + kBlockGroups - 1) / kBlockGroups * kBlockGroups),
        element_bytes(bytes_of_q),
        parts(32 / format.weight_bits * bytes_of_q / 4),
        planes(byte_products && bytes_of_q == 2) {}

  std::int64_t sums() const noexcept { return num_groups * 4; }  // where they begin, in bytes
  std::int64_t q() const noexcept { return num_groups * 8; }
};

/// That of the CPU target in use.
QuantizedLayout quantized_layout(const QuantizedFormat& format, std::int64_t cols);

}  // namespace xlstm::kernels
