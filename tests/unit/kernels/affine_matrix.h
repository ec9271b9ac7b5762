// A quantised weight matrix for tests, as a file would hold it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/unit/kernels/samples.h"
#include "xlstm/base/dtype.h"
#include "xlstm/kernels/cpu/matrix_view.h"
#include "xlstm/kernels/reference/affine.h"

namespace xlstm::testing {

/// Random q over the whole range, scales and biases of both signs as quantised Gaussians have them. `offset`: elements
/// that data, scales and biases lie off the alignment of a cache line.
struct AffineMatrix {
  AffineMatrix(int bits, std::int64_t group_size, DType dtype, std::int64_t rows, std::int64_t cols,
               std::int64_t offset, Samples& samples)
      : words(random_words(rows * cols * bits / 32, samples), offset),
        scales(parameters(dtype, rows * cols / group_size, samples, 0.02f), offset * size_of(dtype)),
        biases(parameters(dtype, rows * cols / group_size, samples, 0.3f), offset * size_of(dtype)) {
    view = {DType::uint32, words.data(), rows, cols, {bits, group_size, dtype, scales.data(), biases.data()}};
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) values.push_back(kernels::reference::affine_value(view, r, c));
    }
  }

  Shifted<std::uint32_t> words;
  Shifted<std::byte> scales, biases;
  std::vector<double> values;  // [rows, cols] dequantised
  kernels::MatrixView view;

 private:
  static std::int64_t size_of(DType dtype) { return static_cast<std::int64_t>(dtype_size(dtype)); }
  static std::vector<std::uint32_t> random_words(std::int64_t count, Samples& samples) {
    std::vector<std::uint32_t> words;
    for (std::int64_t i = 0; i < count; ++i) {
      std::uint32_t word = 0;
      for (int byte = 0; byte < 4; ++byte) word = word << 8 | static_cast<std::uint32_t>(samples.next(0, 256));
      words.push_back(word);
    }
    return words;
  }
  static std::vector<std::byte> parameters(DType dtype, std::int64_t count, Samples& samples, float size) {
    const std::vector<float> wide = samples.floats(count, -size, size);
    std::vector<std::byte> bytes(static_cast<std::size_t>(count) * dtype_size(dtype));
    narrow_from_float32(dtype, wide.data(), wide.size(), bytes.data());
    return bytes;
  }
};

}  // namespace xlstm::testing
