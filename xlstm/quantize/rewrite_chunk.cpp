#include "xlstm/quantize/rewrite_chunk.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/kernels/cpu/affine.h"
#include "xlstm/kernels/cpu/affine_search.h"
#include "xlstm/kernels/cpu/convert.h"

namespace xlstm::quantize {
namespace {

using checkpoint::quote;
using checkpoint::refuse;

// Elements worked on at a time: their float32 values stay in the inner cache. A multiple of every group size.
constexpr std::int64_t kBlock = 8192;

constexpr std::uint32_t kMagnitude = 0x7fffffff;

// Bits of the largest float32 that does not become infinite in `dtype`. Above those of the largest number lie infinity
// and the NaNs.
std::uint32_t largest_bits(DType dtype) {
  return dtype == DType::float16 ? 0x477fefffu : dtype == DType::bfloat16 ? 0x7f7f7fffu : 0x7f7fffffu;
}

bool is_within(float value, std::uint32_t limit) { return (std::bit_cast<std::uint32_t>(value) & kMagnitude) <= limit; }

// "[3, 17]" of element `index`.
std::string position(const Shape& shape, std::int64_t index) {
  Shape place(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; index /= shape[i]) place[i] = index % shape[i];
  return shape_to_string(place);
}

[[noreturn]] void refuse_value(const Rewrite& rewrite, std::int64_t index, float value, const std::string& what) {
  const TensorView& tensor = rewrite.source.weight;
  const std::string place = position(rewrite.shape(), index);
  if (std::isfinite(value)) {
    refuse(ErrorCode::invalid_argument, tensor.file, "tensor ", quote(tensor.name), ": expected ", what, " that ",
           dtype_name(rewrite.dtype), " can hold but got ", value, " at ", place);
  }
  refuse(ErrorCode::corrupt_file, tensor.file, "tensor ", quote(tensor.name), ": expected finite weights but got ",
         std::isnan(value) ? "NaN" : "infinity", " at ", place);
}

// Values from element `begin` on can be written as `dtype`.
void require_within(const Rewrite& rewrite, DType dtype, std::int64_t begin, std::span<const float> values) {
  const std::uint32_t limit = largest_bits(dtype);
  bool all = true;
  for (const float value : values) all = all & is_within(value, limit);
  if (all) return;
  const auto bad = std::find_if(values.begin(), values.end(), [&](float value) { return !is_within(value, limit); });
  refuse_value(rewrite, begin + (bad - values.begin()), *bad, "weights");
}

void narrow(const Rewrite& rewrite, std::int64_t begin, std::span<const float> values, std::byte* to) {
  require_within(rewrite, rewrite.dtype, begin, values);
  kernels::narrow(rewrite.dtype, values.data(), std::ssize(values), to);
}

const std::byte* element(const TensorView& tensor, std::int64_t index) {
  return tensor.data + static_cast<std::size_t>(index) * dtype_size(tensor.dtype);
}

kernels::MatrixView view_of(const model::Matrix& matrix) {
  const model::AffineGroups& groups = *matrix.groups;
  return {matrix.weight.dtype,
          matrix.weight.data,
          matrix.rows(),
          matrix.cols(),
          {groups.bits, groups.group_size, groups.scales.dtype, groups.scales.data, groups.biases.data}};
}

void dequantize(const Rewrite& rewrite, std::int64_t begin, std::int64_t count, std::byte* to) {
  const kernels::MatrixView matrix = view_of(rewrite.source);
  std::vector<float> row(static_cast<std::size_t>(matrix.cols));
  for (std::int64_t at = begin; at < begin + count; at += matrix.cols) {
    kernels::affine_dequantize(matrix, at / matrix.cols, row.data());
    narrow(rewrite, at, row, to);
    to += row.size() * dtype_size(rewrite.dtype);
  }
}

void cast(const Rewrite& rewrite, std::int64_t begin, std::int64_t count, std::byte* to) {
  float values[kBlock];
  for (std::int64_t at = begin; at < begin + count; at += kBlock) {
    const std::int64_t size = std::min(kBlock, begin + count - at);
    kernels::widen(rewrite.source.weight.dtype, element(rewrite.source.weight, at), size, values);
    narrow(rewrite, at, std::span(values, static_cast<std::size_t>(size)), to);
    to += static_cast<std::size_t>(size) * dtype_size(rewrite.dtype);
  }
}

// Scales are rounded last, as in MLX: the q belong to the scale before that.
void narrow_parameters(const Rewrite& rewrite, std::int64_t begin, std::span<const float> values, std::byte* to) {
  const std::uint32_t limit = largest_bits(rewrite.dtype);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_within(values[i], limit)) continue;
    const std::int64_t group = static_cast<std::int64_t>(i) * rewrite.format->group_size;
    refuse_value(rewrite, begin + group, values[i], "groups whose scale and bias are numbers");
  }
  kernels::narrow(rewrite.dtype, values.data(), std::ssize(values), to);
}

void quantize(const Rewrite& rewrite, std::int64_t begin, std::int64_t count, Chunk& chunk) {
  const auto [bits, group_size] = *rewrite.format;
  float values[kBlock], scales[kBlock / 32], biases[kBlock / 32];
  std::byte *words = chunk.bytes[0].data(), *scale_bytes = chunk.bytes[1].data(), *bias_bytes = chunk.bytes[2].data();
  for (std::int64_t at = begin; at < begin + count; at += kBlock) {
    const std::int64_t size = std::min(kBlock, begin + count - at);
    const auto groups = static_cast<std::size_t>(size / group_size);
    kernels::widen(rewrite.source.weight.dtype, element(rewrite.source.weight, at), size, values);
    const std::span all(values, static_cast<std::size_t>(size));
    require_within(rewrite, DType::float32, at, all);
    auto* const to = reinterpret_cast<std::uint32_t*>(words);
    if (rewrite.scales == Scales::search) {
      kernels::affine_search(values, size, bits, group_size, rewrite.dtype, to, scales, biases);
    } else {
      kernels::affine_quantize(values, size, bits, group_size, to, scales, biases);
    }
    narrow_parameters(rewrite, at, std::span(scales, groups), scale_bytes);
    narrow_parameters(rewrite, at, std::span(biases, groups), bias_bytes);
    words += size * bits / 8;
    scale_bytes += groups * dtype_size(rewrite.dtype);
    bias_bytes += groups * dtype_size(rewrite.dtype);
  }
}

}  // namespace

Shape Rewrite::shape() const { return source.groups ? Shape{source.rows(), source.cols()} : source.weight.shape; }

std::int64_t Rewrite::unit() const { return format ? format->group_size : source.groups ? source.cols() : 1; }

std::vector<TensorView> outputs_of(const Rewrite& rewrite) {
  const Shape shape = rewrite.shape();
  if (!rewrite.format) return {{rewrite.name, rewrite.dtype, shape, nullptr, ""}};
  const auto [bits, group_size] = *rewrite.format;
  const std::string module = rewrite.name.substr(0, rewrite.name.rfind('.'));
  const Shape words = {shape[0], shape[1] * bits / 32}, groups = {shape[0], shape[1] / group_size};
  return {{rewrite.name, DType::uint32, words, nullptr, ""},
          {module + ".scales", rewrite.dtype, groups, nullptr, ""},
          {module + ".biases", rewrite.dtype, groups, nullptr, ""}};
}

void make_chunk(const Rewrite& rewrite, std::int64_t begin, std::int64_t count, Chunk& chunk) {
  const auto elements = static_cast<std::size_t>(count);
  if (rewrite.format) {
    const auto [bits, group_size] = *rewrite.format;
    const std::size_t parameters = elements / static_cast<std::size_t>(group_size) * dtype_size(rewrite.dtype);
    chunk.bytes[0].resize(elements * static_cast<std::size_t>(bits) / 8);
    chunk.bytes[1].resize(parameters);
    chunk.bytes[2].resize(parameters);
    return quantize(rewrite, begin, count, chunk);
  }
  chunk.bytes[0].resize(elements * dtype_size(rewrite.dtype));
  rewrite.source.groups ? dequantize(rewrite, begin, count, chunk.bytes[0].data())
                        : cast(rewrite, begin, count, chunk.bytes[0].data());
}

}  // namespace xlstm::quantize
