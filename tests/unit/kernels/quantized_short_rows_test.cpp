// Short rows of quantised weights, which go through quantized_gemv many at a time: a row is what it is alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/cpu/quantized_gemv.h"

namespace xlstm::testing {
namespace {

using kernels::quantize_vector;
using kernels::quantized_gemv;
using kernels::quantized_vector_bytes;
using kernels::QuantizedFormat;

constexpr std::int64_t kBatch = 5, kRows = 2 * 41;

/// A matrix of short rows and vectors for it.
struct Product {
  Product(const QuantizedFormat& f, std::int64_t groups)
      : format(f),
        cols(groups * f.group_size),
        samples(static_cast<std::uint64_t>(cols)),
        w(f.weight_bits, f.group_size, DType::float32, kRows, cols, groups % 3, samples),
        stride(quantized_vector_bytes(f, cols)),
        x(std::vector<std::byte>(static_cast<std::size_t>(kBatch * stride))) {
    const std::vector<float> values = samples.floats(kBatch * cols);
    for (std::int64_t b = 0; b < kBatch; ++b) quantize_vector(f, values.data() + b * cols, cols, x.data() + b * stride);
  }
  void multiply(const kernels::RowRange& rows, std::int64_t batch, float* y) const {
    quantized_gemv(w.view, format.type, rows, x.data(), stride, batch, y, kRows);
  }
  /// Row by row: [kBatch, kRows].
  std::vector<float> alone() const {
    std::vector<float> y(static_cast<std::size_t>(kBatch * kRows));
    for (std::int64_t r = 0; r < kRows; ++r) multiply({r, r + 1}, kBatch, y.data() + r);
    return y;
  }

  QuantizedFormat format;
  std::int64_t cols;
  Samples samples;
  AffineMatrix w;
  std::int64_t stride;
  Shifted<std::byte> x;
};

template <class F>
void for_each_product(const F& f) {
  for (const DType type : {DType::int8, DType::int16}) {
    for (const int bits : {4, 8}) {
      for (const std::int64_t group_size : {32, 64, 128}) {
        for (const std::int64_t groups : {1, 2, 5, 11, 15}) f(Product({type, bits, group_size}, groups));
      }
    }
  }
}

class QuantizedShortRowsTest : public OnEveryTarget {};

TEST_P(QuantizedShortRowsTest, AreWhatEachOfThemIsAloneInAnyNumberAndBatch) {
  for_each_product([](const Product& p) {
    const std::vector<float> alone = p.alone();
    for (const std::int64_t rows : {1, 3, 4, 5, 15, 16, 17, 33, 41}) {
      for (const std::int64_t batch : {1, 2, 5}) {
        std::vector<float> y(alone.size(), 7.0f), expected = y;
        const std::int64_t begin = 41 - rows;  // two streams, the second of them to the end of the matrix
        for (std::int64_t b = 0; b < batch; ++b) {
          for (const std::int64_t from : {begin, begin + 41}) {
            std::copy_n(alone.data() + b * kRows + from, rows, expected.data() + b * kRows + from);
          }
        }
        p.multiply({begin, 41, 41}, batch, y.data() + begin);
        ASSERT_EQ(y, expected) << p.format.weight_bits << " bits, " << p.cols << " columns, " << rows << " rows, batch "
                               << batch;
      }
    }
  });
}

// Rows are neighbours in memory, so a load for one takes in parts of the next.
TEST_P(QuantizedShortRowsTest, ARowThatIsNotFiniteSpoilsNoOther) {
  for_each_product([](Product&& p) {
    const std::int64_t groups = p.cols / p.format.group_size;
    const std::vector<float> before = p.alone();
    constexpr std::int64_t kSpoilt[] = {0, 1, 4, 15, 16, 40, 81};
    for (const std::int64_t r : kSpoilt) {
      reinterpret_cast<float*>(p.w.scales.data())[r * groups] = NAN;
      reinterpret_cast<float*>(p.w.biases.data())[(r + 1) * groups - 1] = INFINITY;
    }
    std::vector<float> y(before.size());
    p.multiply({0, kRows}, kBatch, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i) % kRows;
      if (std::find(std::begin(kSpoilt), std::end(kSpoilt), row) != std::end(kSpoilt)) {
        ASSERT_TRUE(std::isnan(y[i])) << row;
      } else {
        ASSERT_EQ(y[i], before[i]) << p.format.weight_bits << " bits, " << p.cols << " columns, row " << row;
      }
    }
  });
}

XLSTM_ON_EVERY_TARGET(QuantizedShortRowsTest);

}  // namespace
}  // namespace xlstm::testing
