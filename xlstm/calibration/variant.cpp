#include "xlstm/calibration/variant.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "xlstm/model/projections.h"
#include "xlstm/quantize/first_error.h"

namespace xlstm::calibration {
namespace {

// Of words, scales and biases.
using Parts = std::array<std::vector<std::byte>, 3>;

Parts quantize_whole(const quantize::Rewrite& rewrite, ThreadPool& pool) {
  constexpr std::int64_t kPiece = std::int64_t{1} << 15;  // elements; a multiple of every group
  const std::vector<TensorView> outputs = quantize::outputs_of(rewrite);
  Parts parts;
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].resize(outputs[i].nbytes());
  const std::int64_t size = rewrite.size();
  quantize::FirstError error;
  pool.parallel_for((size + kPiece - 1) / kPiece, [&](std::int64_t piece) {
    error.guard([&] {
      const std::int64_t begin = piece * kPiece;
      quantize::Chunk chunk;
      quantize::make_chunk(rewrite, begin, std::min(kPiece, size - begin), chunk);
      for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t at = parts[i].size() / static_cast<std::size_t>(size / rewrite.unit()) *
                               static_cast<std::size_t>(begin / rewrite.unit());
        std::ranges::copy(chunk.bytes[i], parts[i].begin() + static_cast<std::ptrdiff_t>(at));
      }
    });
  });
  error.rethrow();
  return parts;
}

// Rows [first, first + rows) of a tensor.
TensorView rows_of(TensorView whole, const std::vector<std::byte>& data, std::int64_t first, std::int64_t rows) {
  const std::size_t row_bytes = data.size() / static_cast<std::size_t>(whole.shape[0]);
  whole.shape[0] = rows;
  whole.data = data.data() + static_cast<std::size_t>(first) * row_bytes;
  return whole;
}

void replace(model::Matrix& matrix, const quantize::Rewrite& rewrite, const Parts& parts) {
  const TensorView& source = rewrite.source.weight;
  if (matrix.weight.name != source.name) return;
  const std::size_t row_bytes = source.nbytes() / static_cast<std::size_t>(source.shape[0]);
  const std::int64_t first = (matrix.weight.data - source.data) / static_cast<std::ptrdiff_t>(row_bytes);
  const std::int64_t rows = matrix.rows();
  const std::vector<TensorView> whole = quantize::outputs_of(rewrite);
  matrix.weight = rows_of(whole[0], parts[0], first, rows);
  matrix.groups = {rewrite.format->bits, rewrite.format->group_size, rows_of(whole[1], parts[1], first, rows),
                   rows_of(whole[2], parts[2], first, rows)};
}

}  // namespace

std::shared_ptr<const model::Model> with_quantized(const model::Model& model, const quantize::Rewrite& rewrite,
                                                   ThreadPool& pool) {
  const auto parts = std::make_shared<const Parts>(quantize_whole(rewrite, pool));
  auto variant = std::make_shared<model::Model>(model);
  const auto put = [&](model::Matrix& matrix) { replace(matrix, rewrite, *parts); };
  put(variant->embedding);
  put(variant->lm_head);
  for (model::Block& any : variant->blocks) {
    std::visit([&](auto& block) { model::for_each_projection(block, put); }, any);
  }
  variant->storage =
      std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(variant->storage, parts);
  return variant;
}

}  // namespace xlstm::calibration
