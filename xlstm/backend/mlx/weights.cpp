#include "xlstm/backend/mlx/weights.h"

#include <cstring>
#include <limits>
#include <utility>

#include "xlstm/base/dtype.h"
#include "xlstm/base/error.h"

namespace xlstm::backend::mlx {
namespace {

// Widening on the host into the final buffer: MLX's own cast from bfloat16 makes 170 M elements a second and needs the
// stored bytes as an array of their own beside the result.
mx::array widened(DType dtype, const void* data, const Shape& shape) {
  const auto count = static_cast<std::size_t>(shape_size(shape));
  mx::allocator::Data memory = allocate(count * sizeof(float));
  widen_to_float32(dtype, data, count, static_cast<float*>(memory.buffer().raw_ptr()));
  return mx::array(std::move(memory), to_mlx_shape(shape), mx::float32);
}

}  // namespace

mx::Shape to_mlx_shape(const Shape& shape) {
  mx::Shape result;
  for (const std::int64_t size : shape) {
    if (size > std::numeric_limits<mx::ShapeElem>::max()) {
      fail(ErrorCode::unsupported, "mlx", "expected dimensions below 2^31 but got ", shape_to_string(shape));
    }
    result.push_back(static_cast<mx::ShapeElem>(size));
  }
  return result;
}

mx::array host_array(const float* values, const Shape& shape) { return widened(DType::float32, values, shape); }

mx::array WeightUploader::tensor(const TensorView& view) {
  bytes_ += static_cast<std::size_t>(view.size()) * sizeof(float);
  return widened(view.dtype, view.data, view.shape);
}

mx::array WeightUploader::matrix(const model::Matrix& matrix) {
  if (!matrix.groups) return tensor(matrix.weight);
  const model::AffineGroups& groups = *matrix.groups;
  mx::allocator::Data memory = allocate(matrix.weight.nbytes());
  std::memcpy(memory.buffer().raw_ptr(), matrix.weight.data, matrix.weight.nbytes());
  const mx::array words(std::move(memory), to_mlx_shape(matrix.weight.shape), mx::uint32);
  const auto parameters = [](const TensorView& view) { return widened(view.dtype, view.data, view.shape); };
  mx::array values = mx::dequantize(words, parameters(groups.scales), parameters(groups.biases),
                                    static_cast<int>(groups.group_size), groups.bits);
  values.eval();  // the packed words are let go
  bytes_ += values.nbytes();
  return values;
}

mx::array WeightUploader::values(const FloatArray& array, const Shape& shape) {
  XLSTM_CHECK(static_cast<std::int64_t>(array.size()) == shape_size(shape));
  bytes_ += array.size() * sizeof(float);
  return host_array(array.data(), shape);
}

std::optional<mx::array> WeightUploader::optional_values(const FloatArray& array, const Shape& shape) {
  if (array.empty()) return std::nullopt;
  return values(array, shape);
}

}  // namespace xlstm::backend::mlx
