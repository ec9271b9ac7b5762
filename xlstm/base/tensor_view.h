// A named, typed, shaped range of bytes that somebody else owns: how stored tensors travel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "xlstm/base/dtype.h"

namespace xlstm {

using Shape = std::vector<std::int64_t>;

/// "[4, 256]".
std::string shape_to_string(const Shape& shape);
/// Product of the dimensions; 1 for a scalar.
std::int64_t shape_size(const Shape& shape) noexcept;

/// Row-major. `data` is aligned to the element size (the checkpoint reader sees to it) but to no more.
struct TensorView {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  const std::byte* data = nullptr;
  std::string file;  // where it came from, for messages

  std::int64_t size() const noexcept { return shape_size(shape); }
  std::size_t nbytes() const noexcept { return static_cast<std::size_t>(size()) * dtype_size(dtype); }
};

}  // namespace xlstm
