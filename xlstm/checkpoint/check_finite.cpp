#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

constexpr std::size_t kBlock = 4096;  // elements looked at before the question is asked: the inner loop has no branch

// Index of the first element whose exponent bits are all ones.
template <class Bits>
std::optional<std::size_t> find_non_finite(const std::byte* data, std::size_t count, Bits exponent_mask) {
  const auto* values = reinterpret_cast<const Bits*>(data);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, count);
    Bits any = 0;
    for (std::size_t i = begin; i < end; ++i) any |= static_cast<Bits>((values[i] & exponent_mask) == exponent_mask);
    if (!any) continue;
    const auto* bad =
        std::find_if(values + begin, values + end, [&](Bits bits) { return (bits & exponent_mask) == exponent_mask; });
    return static_cast<std::size_t>(bad - values);
  }
  return std::nullopt;
}

std::optional<std::size_t> find_non_finite(const TensorView& view) {
  const auto count = static_cast<std::size_t>(view.size());
  switch (view.dtype) {
    case DType::float32:
      return find_non_finite<std::uint32_t>(view.data, count, 0x7f800000u);
    case DType::float16:
      return find_non_finite<std::uint16_t>(view.data, count, 0x7c00u);
    case DType::bfloat16:
      return find_non_finite<std::uint16_t>(view.data, count, 0x7f80u);
    case DType::float64:
      return find_non_finite<std::uint64_t>(view.data, count, 0x7ff0000000000000u);
    default:
      return std::nullopt;
  }
}

// "[3, 17]".
std::string position(const Shape& shape, std::size_t index) {
  Shape place(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    const auto size = static_cast<std::size_t>(shape[i]);
    place[i] = static_cast<std::int64_t>(index % size);
    index /= size;
  }
  return shape_to_string(place);
}

bool is_nan(const TensorView& view, std::size_t index) {
  if (view.dtype == DType::float64) {
    double value = 0;
    std::memcpy(&value, view.data + index * sizeof value, sizeof value);
    return value != value;
  }
  float value = 0;
  widen_to_float32(view.dtype, view.data + index * dtype_size(view.dtype), 1, &value);
  return value != value;
}

}  // namespace

void check_finite(const Checkpoint& checkpoint) {
  for (const auto& [name, view] : checkpoint.tensors) {
    if (const std::optional<std::size_t> index = find_non_finite(view)) {
      refuse_corrupt(view.file, "tensor ", quote(name), ": expected finite weights but got ",
                     is_nan(view, *index) ? "NaN" : "infinity", " at ", position(view.shape, *index));
    }
  }
}

}  // namespace xlstm::checkpoint
