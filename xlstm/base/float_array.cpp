#include "xlstm/base/float_array.h"

namespace xlstm {

FloatArray FloatArray::of(const TensorView& tensor) {
  const auto count = static_cast<std::size_t>(tensor.size());
  if (tensor.dtype == DType::float32) {
    FloatArray array;
    array.data_ = reinterpret_cast<const float*>(tensor.data);
    array.size_ = count;
    return array;
  }
  std::vector<float> values(count);
  widen_to_float32(tensor.dtype, tensor.data, count, values.data());
  return FloatArray(std::move(values));
}

}  // namespace xlstm
