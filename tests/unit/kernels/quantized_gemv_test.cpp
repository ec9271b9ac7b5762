#include "xlstm/kernels/cpu/quantized_gemv.h"

#include <algorithm>
#include <cmath>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/cpu/quantized_layout.h"

namespace xlstm::testing {
namespace {

using kernels::MatrixView;
using kernels::quantize_vector;
using kernels::quantized_gemv;
using kernels::quantized_vector_bytes;
using kernels::QuantizedFormat;
using kernels::reference::quantize_activations;
using kernels::reference::QuantizedActivations;

constexpr DType kScaleDTypes[] = {DType::bfloat16, DType::float16, DType::float32};

/// Every type of activation, weight bits and group size.
std::vector<QuantizedFormat> all_formats() {
  std::vector<QuantizedFormat> formats;
  for (const DType type : {DType::int8, DType::int16}) {
    for (const int bits : {4, 8}) {
      for (const std::int64_t group_size : {32, 64, 128}) formats.push_back({type, bits, group_size});
    }
  }
  return formats;
}

std::string name_of(const QuantizedFormat& format) {
  return std::string(dtype_name(format.type)) + " x " + std::to_string(format.weight_bits) + " bits, groups of " +
         std::to_string(format.group_size);
}

float limit_of(DType type) { return type == DType::int8 ? 127.0f : 32767.0f; }

/// Rows of x as quantized_gemv wants them. What quantize_vector does not write stays NaN, or q that would show.
struct QuantizedRows {
  QuantizedRows(const QuantizedFormat& f, const std::vector<float>& x, std::int64_t num_rows, std::int64_t num_cols)
      : format(f),
        cols(num_cols),
        stride(quantized_vector_bytes(f, num_cols)),
        bytes(std::vector<std::byte>(static_cast<std::size_t>(num_rows * stride), std::byte{0xff})) {
    for (std::int64_t b = 0; b < num_rows; ++b) {
      const Shifted<float> row(std::vector<float>(x.begin() + b * cols, x.begin() + (b + 1) * cols), 1);
      quantize_vector(format, row.data(), cols, bytes.data() + b * stride);
    }
  }
  const std::byte* row(std::int64_t b) const { return bytes.data() + b * stride; }

  QuantizedFormat format;
  std::int64_t cols, stride;
  Shifted<std::byte> bytes;
};

std::vector<float> multiply(const MatrixView& w, const QuantizedRows& x, std::int64_t batch) {
  std::vector<float> y(static_cast<std::size_t>(batch * w.rows), NAN);
  quantized_gemv(w, x.format.type, {0, w.rows}, x.row(0), x.stride, batch, y.data(), w.rows);
  return y;
}

/// The formula of the header in double, on the oracle's q, and how far from it float32 may be.
struct Expected {
  std::vector<double> values, bound;  // [batch, rows]
};

Expected oracle(const MatrixView& w, DType type, const std::vector<float>& x, std::int64_t batch) {
  const std::int64_t size = w.groups.group_size, groups = w.cols / size;
  Expected expected;
  for (std::int64_t b = 0; b < batch; ++b) {
    const QuantizedActivations a = quantize_activations(type, size, x.data() + b * w.cols, w.cols);
    for (std::int64_t r = 0; r < w.rows; ++r) {
      double value = 0, magnitude = 0;
      for (std::int64_t g = 0; g < groups; ++g) {
        double dot = 0, sum = 0, absolute = 0;
        for (std::int64_t c = g * size; c < (g + 1) * size; ++c) {
          const double q_x = a.q[static_cast<std::size_t>(c)], q_w = kernels::reference::affine_q(w, r, c);
          dot += q_w * q_x;
          sum += q_x;
          absolute += std::abs(q_w * q_x);
        }
        const double s = a.scale[static_cast<std::size_t>(g)];
        const double scale = kernels::reference::affine_parameter(w, w.groups.scales, r * groups + g) * s;
        const double bias = kernels::reference::affine_parameter(w, w.groups.biases, r * groups + g) * s;
        value += scale * dot + bias * sum;
        magnitude += std::abs(scale) * absolute + std::abs(bias * sum);
      }
      expected.values.push_back(value);
      // Two terms a group, each rounded when it is added (and once more where there is no fma); before that an exact
      // sum of q becomes float32 and is multiplied by two scales; at the end at most 16 x 2 running sums are added.
      expected.bound.push_back(static_cast<double>(4 * groups + 10) * kUnit * magnitude);
    }
  }
  return expected;
}

class QuantizedGemvTest : public OnEveryTarget {};

TEST_P(QuantizedGemvTest, EqualsTheFormulaOnTheOraclesActivations) {
  for (const QuantizedFormat& format : all_formats()) {
    for (std::int64_t groups = 1; groups <= 40; ++groups) {
      constexpr std::int64_t kRows = 3;
      const std::int64_t cols = groups * format.group_size, batch = groups % 10, offset = groups % 3;
      Samples samples(static_cast<std::uint64_t>(cols));
      const AffineMatrix w(format.weight_bits, format.group_size, kScaleDTypes[groups % 3], kRows, cols, offset,
                           samples);
      const std::vector<float> x = samples.floats(batch * cols, -3, 3);
      const Expected expected = oracle(w.view, format.type, x, batch);
      expect_within(multiply(w.view, QuantizedRows(format, x, batch, cols), batch), expected.values, expected.bound,
                    name_of(format));
      if (HasFatalFailure()) FAIL() << groups << " groups";
    }
  }
}

// With scales that are powers of two and numbers of the float32 range of integers nothing is rounded at all.
TEST_P(QuantizedGemvTest, IntegerSumsAreExact) {
  for (const QuantizedFormat& format : all_formats()) {
    for (const std::int64_t groups : {1, 2, 3, 15, 16, 17, 40}) {
      const std::int64_t cols = groups * format.group_size;
      Samples samples(static_cast<std::uint64_t>(cols));
      AffineMatrix w(format.weight_bits, format.group_size, DType::float32, 2, cols, 0, samples);
      std::vector<float> scales(static_cast<std::size_t>(2 * groups), 0.5f), biases(scales.size(), -4.0f);
      std::vector<float> x = samples.floats(cols, -3.49f, 3.49f);
      for (float& value : x) value = std::nearbyint(value);
      for (std::int64_t g = 0; g < groups; ++g) {  // makes the scale of the group 1
        x[static_cast<std::size_t>(g * format.group_size + g % 32)] = (g % 2 == 0 ? 1 : -1) * limit_of(format.type);
      }
      for (std::int64_t i = 0; i < 2 * cols * format.weight_bits / 32; ++i) w.words.data()[i] &= 0x11111111;
      w.view.groups.scales = scales.data();
      w.view.groups.biases = biases.data();
      const std::vector<double> expected = oracle(w.view, format.type, x, 1).values;
      const std::vector<float> y = multiply(w.view, QuantizedRows(format, x, 1, cols), 1);
      EXPECT_EQ(widened(y), expected) << name_of(format) << ", " << groups << " groups";
    }
  }
}

// The largest sums of a group, 255 * 32767 * 128 < 2^31, and the largest of two neighbours, which must not saturate.
TEST_P(QuantizedGemvTest, LargestWeightsAndActivationsDoNotOverflow) {
  for (const QuantizedFormat& format : all_formats()) {
    for (const std::int64_t groups : {1, 5, 16, 33}) {
      const std::int64_t cols = groups * format.group_size;
      Samples samples(1);
      AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, 2, cols, 0, samples);
      std::fill_n(w.words.data(), 2 * cols * format.weight_bits / 32, 0xffffffffu);
      for (const float sign : {1.0f, -1.0f}) {
        const std::vector<float> x(static_cast<std::size_t>(cols), sign * 0.7f);
        const Expected expected = oracle(w.view, format.type, x, 1);
        expect_within(multiply(w.view, QuantizedRows(format, x, 1, cols), 1), expected.values, expected.bound,
                      name_of(format));
        if (HasFatalFailure()) FAIL() << groups << " groups";
      }
    }
  }
}

// The promise that a sequence in a batch rests on: any batch, any place in it, any cut of the rows, the same bits.
TEST_P(QuantizedGemvTest, ARowHasTheSameBitsInAnyBatchAtAnyPlaceAndInAnyRowRange) {
  for (const QuantizedFormat& format : all_formats()) {
    for (const std::int64_t groups : {1, 2, 16, 19, 35}) {
      constexpr std::int64_t kRows = 7, kBatch = 16;
      const std::int64_t cols = groups * format.group_size;
      Samples samples(static_cast<std::uint64_t>(100 + cols));
      const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, kRows, cols, 0, samples);
      const QuantizedRows x(format, samples.floats(kBatch * cols), kBatch, cols);
      std::vector<float> alone(static_cast<std::size_t>(kBatch * kRows));  // batch 1, one row of w at a time
      for (std::int64_t b = 0; b < kBatch; ++b) {
        for (std::int64_t r = 0; r < kRows; ++r) {
          quantized_gemv(w.view, format.type, {r, r + 1}, x.row(b), x.stride, 1, alone.data() + b * kRows + r, kRows);
        }
      }
      for (const std::int64_t batch : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16}) {
        for (std::int64_t first = 0; first + batch <= kBatch; first += 3) {
          for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {0, 4}, {3, 7}, {2, 5}}) {
            const std::int64_t rows = end - begin;
            std::vector<float> y(static_cast<std::size_t>(batch * rows));
            quantized_gemv(w.view, format.type, {begin, end}, x.row(first), x.stride, batch, y.data(), rows);
            for (std::int64_t b = 0; b < batch; ++b) {
              ASSERT_EQ(std::memcmp(y.data() + b * rows, alone.data() + (first + b) * kRows + begin,
                                    static_cast<std::size_t>(rows) * sizeof(float)),
                        0)
                  << name_of(format) << ", " << groups << " groups, batch " << batch << " first " << first << " rows ["
                  << begin << ", " << end << ")";
            }
          }
        }
      }
    }
  }
}

TEST_P(QuantizedGemvTest, WritesNothingForNoRowsOrNoBatchAndOnlyItsOwnElements) {
  const QuantizedFormat format = {DType::int8, 4, 64};
  Samples samples(5);
  const AffineMatrix w(4, 64, DType::bfloat16, 4, 128, 0, samples);
  const QuantizedRows x(format, samples.floats(2 * 128), 2, 128);
  const std::vector<float> untouched(20, 7.0f);
  std::vector<float> y = untouched;
  quantized_gemv(w.view, format.type, {2, 2}, x.row(0), x.stride, 2, y.data(), 10);
  quantized_gemv(w.view, format.type, {0, 4}, x.row(0), x.stride, 0, y.data(), 10);
  EXPECT_TRUE(same_bits(y, untouched));

  quantized_gemv(w.view, format.type, {1, 4}, x.row(0), x.stride, 2, y.data(), 10);  // 3 of every 10
  for (const std::size_t i : {3u, 9u, 13u, 19u}) EXPECT_EQ(y[i], 7.0f) << i;
  for (const std::size_t i : {0u, 2u, 10u, 12u}) EXPECT_NE(y[i], 7.0f) << i;
}

TEST_P(QuantizedGemvTest, ARangeOfTwoStreamsIsItsRowsAndNoOthers) {
  constexpr std::int64_t kRows = 6, kCols = 64 * 19;
  const QuantizedFormat format = {DType::int8, 4, 64};
  Samples samples(7);
  for (const std::int64_t batch : {1, 2, 5}) {
    const AffineMatrix w(4, 64, DType::bfloat16, kRows, kCols, 0, samples);
    const QuantizedRows x(format, samples.floats(batch * kCols), batch, kCols);
    const std::vector<float> all = multiply(w.view, x, batch);
    std::vector<float> y(all.size(), 7.0f);
    quantized_gemv(w.view, format.type, {1, 3, 3}, x.row(0), x.stride, batch, y.data() + 1, kRows);  // 1, 2 and 4, 5
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float got = y[static_cast<std::size_t>(b * kRows + r)];
        EXPECT_EQ(got, r == 0 || r == 3 ? 7.0f : all[static_cast<std::size_t>(b * kRows + r)]) << b << ", " << r;
      }
    }
  }
}

TEST_P(QuantizedGemvTest, AGroupThatIsNotFiniteMakesItsVectorNotANumberAndNoOther) {
  for (const QuantizedFormat& format : all_formats()) {
    constexpr std::int64_t kGroups = 19;
    const std::int64_t cols = kGroups * format.group_size;
    Samples samples(6);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::float16, 3, cols, 0, samples);
    for (const float value : {NAN, -NAN, INFINITY, -INFINITY}) {
      for (std::int64_t g = 0; g < kGroups; ++g) {
        std::vector<float> x = samples.floats(3 * cols);
        x[static_cast<std::size_t>(cols + g * format.group_size + g)] = value;
        const std::vector<float> y = multiply(w.view, QuantizedRows(format, x, 3, cols), 3);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_EQ(std::isnan(y[i]), i / 3 == 1) << name_of(format) << " group " << g << " at " << i;
        }
      }
    }
  }
}

TEST_P(QuantizedGemvTest, NothingTimesAnythingIsZero) {
  for (const QuantizedFormat& format : all_formats()) {
    const std::int64_t cols = 3 * format.group_size;
    Samples samples(7);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, 3, cols, 0, samples);
    const std::vector<float> x(static_cast<std::size_t>(cols), -0.0f);
    EXPECT_EQ(multiply(w.view, QuantizedRows(format, x, 1, cols), 1), std::vector<float>(3, 0.0f)) << name_of(format);
  }
}

XLSTM_ON_EVERY_TARGET(QuantizedGemvTest);

TEST(QuantizedGemvTargets, AgreeWithinTheBound) {
  for (const QuantizedFormat& format : all_formats()) {
    constexpr std::int64_t kRows = 5, kGroups = 37, kBatch = 5;
    const std::int64_t cols = kGroups * format.group_size;
    Samples samples(8);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, kRows, cols, 1, samples);
    const std::vector<float> x = samples.floats(kBatch * cols);
    std::vector<double> bound = oracle(w.view, format.type, x, kBatch).bound;
    for (double& value : bound) value *= 2;
    std::vector<float> first;
    for (const std::string& target : kernels::cpu_targets()) {
      kernels::force_cpu_target(target);
      const std::vector<float> y = multiply(w.view, QuantizedRows(format, x, kBatch, cols), kBatch);
      if (first.empty()) first = y;
      expect_within(y, widened(first), bound, target + ", " + name_of(format));
    }
    kernels::force_cpu_target("");
  }
}

}  // namespace
}  // namespace xlstm::testing
