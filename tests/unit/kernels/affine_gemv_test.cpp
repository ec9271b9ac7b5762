#include "xlstm/kernels/cpu/affine_gemv.h"

#include <cmath>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/matmul.h"

namespace xlstm::testing {
namespace {

using kernels::affine_gemv;

constexpr DType kScaleDTypes[] = {DType::bfloat16, DType::float16, DType::float32};

template <class Check>
void for_every_format(Check check) {
  for (const int bits : {4, 8}) {
    for (const std::int64_t group_size : {32, 64, 128}) {
      check(bits, group_size);
      if (::testing::Test::HasFatalFailure()) FAIL() << bits << " bits, groups of " << group_size;
    }
  }
}

class AffineGemvTest : public OnEveryTarget {};

TEST_P(AffineGemvTest, EqualsTheOracleForEveryNumberOfGroupsDtypeBatchAndOffset) {
  for_every_format([](int bits, std::int64_t group_size) {
    for (std::int64_t groups = 1; groups <= 40; ++groups) {
      constexpr std::int64_t kRows = 3;
      const std::int64_t cols = groups * group_size, batch = groups % 10, offset = groups % 3;
      Samples samples(static_cast<std::uint64_t>(cols));
      const AffineMatrix w(bits, group_size, kScaleDTypes[groups % 3], kRows, cols, offset, samples);
      const Shifted<float> x(samples.floats(batch * cols), offset);
      Shifted<float> y(std::vector<float>(static_cast<std::size_t>(batch * kRows), NAN), offset);
      affine_gemv(w.view, {0, kRows}, x.data(), cols, batch, y.data(), kRows);

      const std::vector<double> xd = widened(x.values());
      std::vector<double> expected(static_cast<std::size_t>(batch * kRows)), bound;
      for (std::int64_t b = 0; b < batch; ++b) {
        kernels::reference::matvec<double>(w.values.data(), kRows, cols, xd.data() + b * cols, nullptr,
                                           expected.data() + b * kRows);
        for (std::int64_t r = 0; r < kRows; ++r) {
          double magnitude = 0, dequantised = 0;
          for (std::int64_t c = 0; c < cols; ++c) {
            const double size = std::abs(xd[static_cast<std::size_t>(b * cols + c)]);
            const double value = w.values[static_cast<std::size_t>(r * cols + c)];
            const double bias =
                kernels::reference::affine_parameter(w.view, w.view.groups.biases, r * groups + c / group_size);
            magnitude += std::abs(value) * size;
            dequantised += (std::abs(value - bias) + std::abs(value)) * size;
          }
          // A weight is one fma, or a product and a sum; then cols products are added, and at most 2 x 16 sums.
          bound.push_back(kUnit * (static_cast<double>(cols + 6) * magnitude + dequantised));
        }
      }
      expect_within(y.values(), expected, bound, "affine");
      if (HasFatalFailure()) FAIL() << groups << " groups";
    }
  });
}

TEST_P(AffineGemvTest, EveryColumnHasItsOwnWeight) {
  // x is one column: y is the weight itself, rounded once or twice.
  for_every_format([](int bits, std::int64_t group_size) {
    const std::int64_t cols = 3 * group_size;
    Samples samples(2);
    const AffineMatrix w(bits, group_size, DType::bfloat16, 1, cols, 1, samples);
    for (std::int64_t c = 0; c < cols; ++c) {
      std::vector<float> x(static_cast<std::size_t>(cols), 0.0f);
      x[static_cast<std::size_t>(c)] = 1;
      float y = NAN;
      affine_gemv(w.view, {0, 1}, x.data(), cols, 1, &y, 1);
      const double value = w.values[static_cast<std::size_t>(c)];
      ASSERT_PRED3(within, y, value, 2 * kUnit * 6) << c;  // |scale q| < 6
    }
  });
}

TEST_P(AffineGemvTest, ARowHasTheSameBitsInAnyBatchAtAnyPlaceAndInAnyRowRange) {
  for_every_format([](int bits, std::int64_t group_size) {
    for (const std::int64_t groups : {1, 2, 16, 19, 35}) {
      constexpr std::int64_t kRows = 7, kBatch = 16;
      const std::int64_t cols = groups * group_size;
      Samples samples(static_cast<std::uint64_t>(100 + cols));
      const AffineMatrix w(bits, group_size, DType::bfloat16, kRows, cols, 0, samples);
      const Shifted<float> x(samples.floats(kBatch * cols));
      std::vector<float> alone(static_cast<std::size_t>(kBatch * kRows));  // batch 1, one row of w at a time
      for (std::int64_t b = 0; b < kBatch; ++b) {
        for (std::int64_t r = 0; r < kRows; ++r) {
          affine_gemv(w.view, {r, r + 1}, x.data() + b * cols, cols, 1, alone.data() + b * kRows + r, kRows);
        }
      }
      for (const std::int64_t batch : {1, 2, 3, 4, 5, 6, 7, 8, 9, 16}) {
        for (std::int64_t first = 0; first + batch <= kBatch; first += 3) {
          for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {0, 4}, {3, 7}, {2, 5}}) {
            const std::int64_t rows = end - begin;
            std::vector<float> y(static_cast<std::size_t>(batch * rows));
            affine_gemv(w.view, {begin, end}, x.data() + first * cols, cols, batch, y.data(), rows);
            for (std::int64_t b = 0; b < batch; ++b) {
              ASSERT_EQ(std::memcmp(y.data() + b * rows, alone.data() + (first + b) * kRows + begin,
                                    static_cast<std::size_t>(rows) * sizeof(float)),
                        0)
                  << groups << " groups, batch " << batch << " first " << first << " rows [" << begin << ", " << end
                  << ")";
            }
          }
        }
      }
    }
  });
}

TEST_P(AffineGemvTest, WritesNothingForNoRowsOrNoBatchAndOnlyItsOwnElements) {
  Samples samples(5);
  const AffineMatrix w(4, 32, DType::bfloat16, 4, 96, 0, samples);
  const Shifted<float> x(samples.floats(2 * 96));
  const std::vector<float> untouched(20, 7.0f);
  std::vector<float> y = untouched;
  affine_gemv(w.view, {2, 2}, x.data(), 96, 2, y.data(), 10);
  affine_gemv(w.view, {0, 4}, x.data(), 96, 0, y.data(), 10);
  EXPECT_TRUE(same_bits(y, untouched));

  affine_gemv(w.view, {1, 4}, x.data(), 96, 2, y.data(), 10);  // 3 of every 10
  for (const std::size_t i : {3u, 9u, 13u, 19u}) EXPECT_EQ(y[i], 7.0f) << i;
  for (const std::size_t i : {0u, 2u, 10u, 12u}) EXPECT_NE(y[i], 7.0f) << i;
}

TEST_P(AffineGemvTest, ARangeOfTwoStreamsIsItsRowsAndNoOthers) {
  constexpr std::int64_t kRows = 6, kCols = 320;
  Samples samples(7);
  for (const std::int64_t batch : {1, 2, 5}) {
    const AffineMatrix w(4, 64, DType::bfloat16, kRows, kCols, 0, samples);
    const Shifted<float> x(samples.floats(batch * kCols), 0);
    std::vector<float> all(static_cast<std::size_t>(batch * kRows)), y(all.size(), 7.0f);
    affine_gemv(w.view, {0, kRows}, x.data(), kCols, batch, all.data(), kRows);
    affine_gemv(w.view, {1, 3, 3}, x.data(), kCols, batch, y.data() + 1, kRows);  // rows 1, 2 and 4, 5
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float got = y[static_cast<std::size_t>(b * kRows + r)];
        EXPECT_EQ(got, r == 0 || r == 3 ? 7.0f : all[static_cast<std::size_t>(b * kRows + r)]) << b << ", " << r;
      }
    }
  }
}

TEST_P(AffineGemvTest, ANotANumberInXOrAmongTheScalesComesOut) {
  for_every_format([](int bits, std::int64_t group_size) {
    constexpr std::int64_t kGroups = 3;
    const std::int64_t cols = kGroups * group_size;
    for (const DType dtype : kScaleDTypes) {
      Samples samples(1);
      AffineMatrix w(bits, group_size, dtype, 3, cols, 0, samples);
      std::vector<float> x = samples.floats(cols), y(3);
      for (std::int64_t at = 0; at < cols; ++at) {
        const float before = std::exchange(x[static_cast<std::size_t>(at)], at % 2 == 0 ? NAN : INFINITY);
        affine_gemv(w.view, {0, 3}, x.data(), cols, 1, y.data(), 3);
        for (const float value : y) ASSERT_FALSE(std::isfinite(value)) << at;
        x[static_cast<std::size_t>(at)] = before;
      }
      for (std::int64_t g = 0; g < kGroups; ++g) {  // of the middle row
        const float value = g % 2 == 0 ? NAN : INFINITY;
        narrow_from_float32(dtype, &value, 1,
                            w.scales.data() + (kGroups + g) * static_cast<std::int64_t>(dtype_size(dtype)));
        affine_gemv(w.view, {0, 3}, x.data(), cols, 1, y.data(), 3);
        ASSERT_TRUE(std::isfinite(y[0]) && !std::isfinite(y[1]) && std::isfinite(y[2])) << dtype_name(dtype) << g;
      }
    }
  });
}

XLSTM_ON_EVERY_TARGET(AffineGemvTest);

}  // namespace
}  // namespace xlstm::testing
