#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

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

/// Elements [first, first + count) of a tensor: what a thread looks at at a time.
struct Piece {
  const TensorView* tensor = nullptr;
  std::size_t first = 0, count = 0;
};

void add_pieces(const TensorView& view, std::vector<Piece>& pieces) {
  constexpr std::size_t kElements = 256 * kBlock;
  const auto size = static_cast<std::size_t>(view.size());
  for (std::size_t first = 0; first < size; first += kElements) {
    pieces.push_back({&view, first, std::min(kElements, size - first)});
  }
}

/// Index in the piece.
std::optional<std::size_t> find_non_finite(const Piece& piece) {
  const std::byte* const data = piece.tensor->data + piece.first * dtype_size(piece.tensor->dtype);
  switch (piece.tensor->dtype) {
    case DType::float32:
      return find_non_finite<std::uint32_t>(data, piece.count, 0x7f800000u);
    case DType::float16:
      return find_non_finite<std::uint16_t>(data, piece.count, 0x7c00u);
    case DType::bfloat16:
      return find_non_finite<std::uint16_t>(data, piece.count, 0x7f80u);
    case DType::float64:
      return find_non_finite<std::uint64_t>(data, piece.count, 0x7ff0000000000000u);
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

void check_finite(const Checkpoint& checkpoint, ThreadPool& pool) {
  std::vector<Piece> pieces;
  for (const auto& [name, view] : checkpoint.tensors) add_pieces(view, pieces);
  std::atomic<std::size_t> first_bad{pieces.size()};  // by name and then by place, whoever finds it
  pool.parallel_for(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t i) {
    const auto place = static_cast<std::size_t>(i);
    std::size_t first = first_bad;
    if (place > first || !find_non_finite(pieces[place])) return;
    while (place < first && !first_bad.compare_exchange_weak(first, place)) {
    }
  });
  if (first_bad == pieces.size()) return;
  const Piece& piece = pieces[first_bad];
  const TensorView& view = *piece.tensor;
  const std::size_t index = piece.first + find_non_finite(piece).value();
  refuse_corrupt(view.file, "tensor ", quote(view.name), ": expected finite weights but got ",
                 is_nan(view, index) ? "NaN" : "infinity", " at ", position(view.shape, index));
}

}  // namespace xlstm::checkpoint
