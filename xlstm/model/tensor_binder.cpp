#include "xlstm/model/tensor_binder.h"

#include <algorithm>

#include "xlstm/checkpoint/refuse.h"

namespace xlstm::model {
namespace {

using checkpoint::quote;
using checkpoint::refuse_corrupt;

bool fits(const Shape& shape, const Shape& expected) {
  return std::equal(
      shape.begin(), shape.end(), expected.begin(), expected.end(),
      [](std::int64_t found, std::int64_t wanted) { return wanted == kAnySize ? found >= 1 : found == wanted; });
}

// "[*, 256]".
std::string pattern_to_string(const Shape& expected) {
  std::string text = "[";
  for (std::size_t i = 0; i < expected.size(); ++i) {
    text += (i ? ", " : "") + (expected[i] == kAnySize ? std::string("*") : std::to_string(expected[i]));
  }
  return text + "]";
}

}  // namespace

const TensorView& TensorBinder::find(const std::string& name, const Shape& expected) const {
  const auto found = checkpoint_.tensors.find(name);
  if (found == checkpoint_.tensors.end()) {
    refuse_corrupt(checkpoint_.source, "tensor ", quote(name), ": expected shape ", pattern_to_string(expected),
                   " but it is missing from the weight files");
  }
  return found->second;
}

const TensorView& TensorBinder::take(const std::string& name, const Shape& expected) {
  const TensorView& view = find(name, expected);
  if (!is_weight_dtype(view.dtype)) {
    refuse_corrupt(view.file, "tensor ", quote(name), ": expected dtype float32, float16 or bfloat16 but got ",
                   dtype_name(view.dtype));
  }
  check_shape(view, expected);
  taken_.insert(name);
  return view;
}

FloatArray TensorBinder::widen(const TensorView& view) {
  FloatArray values = FloatArray::of(view);
  if (values.owned_bytes() > 0) count_repacked(view.name, values.owned_bytes());
  return values;
}

std::vector<float> TensorBinder::copy(const std::string& name, const Shape& expected) {
  const TensorView& view = take(name, expected);
  std::vector<float> values(static_cast<std::size_t>(view.size()));
  widen_to_float32(view.dtype, view.data, values.size(), values.data());
  count_repacked(name, values.size() * sizeof(float));
  return values;
}

void TensorBinder::count_repacked(const std::string& name, std::size_t bytes) {
  repacked_.insert(name);
  repacked_bytes_ += bytes;
}

config::AffineFormat TensorBinder::format_of(const std::string& module) const {
  const std::string& config = checkpoint_.config_file;
  if (!checkpoint_.quantization) {
    refuse_corrupt(config, "quantization: expected {\"group_size\", \"bits\"} for the tensor ",
                   quote(module + ".scales"), " but got no such key");
  }
  const std::optional<config::AffineFormat> format = checkpoint_.quantization->format_of(module);
  if (!format) {
    refuse_corrupt(config, "quantization: expected no tensor ", quote(module + ".scales"), " since ", quote(module),
                   " is false but got one");
  }
  return *format;
}

const TensorView& TensorBinder::take_words(const std::string& name, std::int64_t out, std::int64_t in,
                                           config::AffineFormat format) {
  const std::int64_t per_word = 32 / format.bits;
  const TensorView& view = find(name, {out, in / per_word});
  if (view.dtype != DType::uint32) {
    refuse_corrupt(view.file, "tensor ", quote(name), ": expected dtype uint32 beside its scales but got ",
                   dtype_name(view.dtype));
  }
  if (in != kAnySize) check_divides(view, in, format.group_size, "group_size");
  check_shape(view, {out, in / per_word});
  check_divides(view, view.shape[1] * per_word, format.group_size, "group_size");
  taken_.insert(name);
  return view;
}

Matrix TensorBinder::matrix(const std::string& prefix, std::int64_t out, std::int64_t in) {
  if (!has(prefix + ".scales")) return {take(prefix + ".weight", {out, in}), std::nullopt};
  const config::AffineFormat format = format_of(prefix);
  Matrix matrix;
  matrix.weight = take_words(prefix + ".weight", out, in, format);
  AffineGroups& groups = matrix.groups.emplace(AffineGroups{format.bits, format.group_size, {}, {}});
  const Shape shape = {matrix.rows(), matrix.cols() / format.group_size};
  groups.scales = take(prefix + ".scales", shape);
  groups.biases = take(prefix + ".biases", shape);
  if (groups.biases.dtype != groups.scales.dtype) {
    refuse_corrupt(groups.biases.file, "tensor ", quote(groups.biases.name), ": expected dtype ",
                   dtype_name(groups.scales.dtype), " as the scales have it but got ", dtype_name(groups.biases.dtype));
  }
  quantized_.emplace(prefix, format);
  return matrix;
}

Linear TensorBinder::linear(const std::string& prefix, std::int64_t out, std::int64_t in, bool with_bias) {
  Linear layer;
  static_cast<Matrix&>(layer) = matrix(prefix, out, in);
  if (with_bias) layer.bias = floats(prefix + ".bias", {layer.out_dim()});
  return layer;
}

Linear TensorBinder::gate(const std::string& prefix, std::int64_t out, std::int64_t in) {
  Linear layer;
  layer.weight = take(prefix + ".weight", {out, in});
  layer.bias = floats(prefix + ".bias", {layer.out_dim()});
  return layer;
}

Norm TensorBinder::norm(const std::string& prefix, std::int64_t size, bool with_bias) {
  Norm norm;
  norm.weight = floats(prefix + ".weight", {size});
  if (with_bias) norm.bias = floats(prefix + ".bias", {size});
  return norm;
}

void TensorBinder::check_width(const TensorView& tensor, std::int64_t found, const std::vector<std::int64_t>& hints,
                               std::string_view key) const {
  if (hints.empty() || std::find(hints.begin(), hints.end(), found) != hints.end()) return;
  refuse_corrupt(tensor.file, "tensor ", quote(tensor.name), ": expected a width of ", hints.front(), " by ", key,
                 " in ", checkpoint_.config_file, " but got ", found);
}

void TensorBinder::check_divides(const TensorView& tensor, std::int64_t size, std::int64_t divisor,
                                 std::string_view divisor_name) const {
  if (size > 0 && divisor > 0 && size % divisor == 0) return;
  refuse_corrupt(tensor.file, "tensor ", quote(tensor.name), ": expected a width that ", divisor_name, " = ", divisor,
                 " divides but got ", size);
}

void TensorBinder::finish() const {
  for (const auto& [name, view] : checkpoint_.tensors) {
    if (!taken_.contains(name)) {
      refuse_corrupt(view.file, "tensor ", quote(name),
                     ": expected no such tensor by the config but got an extra one of shape ",
                     shape_to_string(view.shape));
    }
  }
}

std::size_t TensorBinder::mapped_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, view] : checkpoint_.tensors) {
    if (!repacked_.contains(name) && !checkpoint_.copied.contains(name)) bytes += view.nbytes();
  }
  return bytes;
}

void check_shape(const TensorView& tensor, const Shape& expected) {
  if (fits(tensor.shape, expected)) return;
  refuse_corrupt(tensor.file, "tensor ", quote(tensor.name), ": expected shape ", pattern_to_string(expected),
                 " but got ", shape_to_string(tensor.shape));
}

TensorView slice_rows(const TensorView& tensor, std::int64_t begin, std::int64_t count) {
  TensorView part = tensor;
  part.shape.front() = count;
  const auto row_bytes = tensor.nbytes() / static_cast<std::size_t>(tensor.shape.front());
  part.data += static_cast<std::size_t>(begin) * row_bytes;
  return part;
}

Matrix slice_rows(const Matrix& matrix, std::int64_t begin, std::int64_t count) {
  Matrix part = matrix;
  part.weight = slice_rows(matrix.weight, begin, count);
  if (matrix.groups) {
    part.groups->scales = slice_rows(matrix.groups->scales, begin, count);
    part.groups->biases = slice_rows(matrix.groups->biases, begin, count);
  }
  return part;
}

}  // namespace xlstm::model
