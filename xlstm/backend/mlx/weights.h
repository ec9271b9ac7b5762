// Stored tensors -> float32 arrays in MLX's memory.
#pragma once

#include <cstddef>
#include <optional>

#include "xlstm/backend/mlx/mlx_runtime.h"
#include "xlstm/base/float_array.h"
#include "xlstm/base/tensor_view.h"
#include "xlstm/model/model.h"

namespace xlstm::backend::mlx {

/// MLX's shape of an own one. Errors: unsupported for a dimension over 2^31 - 1.
mx::Shape to_mlx_shape(const Shape& shape);

/// An evaluated float32 array with a copy of `values`, shape_size(shape) of them.
mx::array host_array(const float* values, const Shape& shape);

/// Copies weights and counts what the copies take.
class WeightUploader {
 public:
  /// float32 copy of a stored tensor, widened exactly.
  mx::array tensor(const TensorView& view);
  /// float32 copy of a matrix; a quantised one as mx::dequantize gives it, with its scales and biases in float32.
  mx::array matrix(const model::Matrix& matrix);
  mx::array values(const FloatArray& array, const Shape& shape);
  /// Nothing for an empty array.
  std::optional<mx::array> optional_values(const FloatArray& array, const Shape& shape);
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

}  // namespace xlstm::backend::mlx
