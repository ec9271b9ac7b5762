// The numbers of a part of one tensor, in the form in which they are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/config/quantization.h"
#include "xlstm/model/model.h"

namespace xlstm::quantize {

/// How the scale and the bias of a group are found: as mx::quantize does it, from its range, or as those that fit best
/// (kernels/cpu/affine_search.h).
enum class Scales { mlx, search };

/// One tensor of a checkpoint that is to be written.
struct Rewrite {
  std::string name;
  model::Matrix source;                        // a tensor of any shape when it is not quantised
  DType dtype;                                 // to be written: of the tensor, or of scales and biases
  std::optional<config::AffineFormat> format;  // to be quantised; `name` is then "<module>.weight"
  Scales scales = Scales::mlx;

  Shape shape() const;
  std::int64_t size() const { return shape_size(shape()); }
  /// Written as it is.
  bool is_copy() const { return !source.groups && !format && dtype == source.weight.dtype; }
  /// Elements that cannot be told apart: those of a group that is made, or of a row that is read.
  std::int64_t unit() const;
};

/// What is written for it, in this order: the tensor, or words, scales and biases. Without data.
std::vector<TensorView> outputs_of(const Rewrite& rewrite);

/// Elements [begin, begin + count) of a rewrite that is no copy, both multiples of its unit (or up to its end): bytes
/// for each of its outputs. Errors: corrupt_file (NaN, infinity), invalid_argument (a number that the dtype cannot
/// hold).
struct Chunk {
  std::vector<std::byte> bytes[3];
};
void make_chunk(const Rewrite& rewrite, std::int64_t begin, std::int64_t count, Chunk& chunk);

}  // namespace xlstm::quantize
