#include "xlstm/kernels/cpu/gemv.h"

#include <algorithm>
#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/samples.h"
#include "tests/unit/kernels/stored_matrix.h"
#include "xlstm/kernels/reference/matmul.h"

namespace xlstm::testing {
namespace {

using kernels::gemv;
using kernels::gemv_prepare;

/// Rows of x as gemv wants them.
Shifted<float> prepared(DType dtype, const std::vector<float>& x, std::int64_t batch, std::int64_t cols,
                        std::int64_t offset) {
  Shifted<float> result(x, offset);
  for (std::int64_t b = 0; b < batch; ++b) {
    const Shifted<float> row(std::vector<float>(x.begin() + b * cols, x.begin() + (b + 1) * cols), offset);
    gemv_prepare(dtype, row.data(), cols, result.data() + b * cols);
  }
  return result;
}

class GemvTest : public OnEveryTarget {};

TEST_P(GemvTest, EqualsTheOracleForEveryDtypeSizeBatchAndOffset) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t cols : kSizes) {
      for (const std::int64_t offset : {0, 1}) {
        constexpr std::int64_t kRows = 5;
        const std::int64_t batch = 1 + cols % 9;
        Samples samples(static_cast<std::uint64_t>(cols));
        const StoredMatrix w(dtype, kRows, cols, offset, samples);
        const std::vector<float> x = samples.floats(batch * cols);
        const Shifted<float> in = prepared(dtype, x, batch, cols, offset);
        Shifted<float> y(std::vector<float>(static_cast<std::size_t>(batch * kRows), NAN), offset);
        gemv(w.view, {0, kRows}, in.data(), cols, batch, y.data(), kRows);

        // cols products and cols - 1 sums, and the sum of the four running sums and the tail: (cols + 8) u sum |w x|.
        const std::vector<double> xd = widened(x);
        std::vector<double> expected(static_cast<std::size_t>(batch * kRows)), bound(expected.size());
        for (std::int64_t b = 0; b < batch; ++b) {
          kernels::reference::matvec<double>(w.values.data(), kRows, cols, xd.data() + b * cols, nullptr,
                                             expected.data() + b * kRows);
          for (std::int64_t r = 0; r < kRows; ++r) {
            double magnitude = 0;
            for (std::int64_t c = 0; c < cols; ++c) {
              magnitude += std::abs(w.values[static_cast<std::size_t>(r * cols + c)] *
                                    xd[static_cast<std::size_t>(b * cols + c)]);
            }
            bound[static_cast<std::size_t>(b * kRows + r)] = static_cast<double>(cols + 8) * kUnit * magnitude;
          }
        }
        expect_within(y.values(), expected, bound, dtype_name(dtype));
        if (HasFatalFailure()) FAIL() << "cols " << cols << " batch " << batch << " offset " << offset;
      }
    }
  }
}

// The promise that a sequence in a batch rests on: any batch, any place in it, any cut of the rows, the same bits.
TEST_P(GemvTest, ARowHasTheSameBitsInAnyBatchAtAnyPlaceAndInAnyRowRange) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t cols : {1, 7, 33, 64, 127, 300}) {
      constexpr std::int64_t kRows = 7, kBatch = 9;
      Samples samples(static_cast<std::uint64_t>(100 + cols));
      const StoredMatrix w(dtype, kRows, cols, 0, samples);
      const Shifted<float> x = prepared(dtype, samples.floats(kBatch * cols), kBatch, cols, 0);
      std::vector<float> alone(static_cast<std::size_t>(kBatch * kRows));  // batch 1, one row of w at a time
      for (std::int64_t b = 0; b < kBatch; ++b) {
        for (std::int64_t r = 0; r < kRows; ++r) {
          gemv(w.view, {r, r + 1}, x.data() + b * cols, cols, 1, alone.data() + b * kRows + r, kRows);
        }
      }
      for (std::int64_t batch = 1; batch <= kBatch; ++batch) {
        for (std::int64_t first = 0; first + batch <= kBatch; ++first) {
          for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 7}, {0, 4}, {3, 7}, {2, 5}}) {
            const std::int64_t rows = end - begin;
            std::vector<float> y(static_cast<std::size_t>(batch * rows));
            gemv(w.view, {begin, end}, x.data() + first * cols, cols, batch, y.data(), rows);
            for (std::int64_t b = 0; b < batch; ++b) {
              ASSERT_EQ(std::memcmp(y.data() + b * rows, alone.data() + (first + b) * kRows + begin,
                                    static_cast<std::size_t>(rows) * sizeof(float)),
                        0)
                  << dtype_name(dtype) << " cols " << cols << " batch " << batch << " first " << first << " rows ["
                  << begin << ", " << end << ")";
            }
          }
        }
      }
    }
  }
}

TEST_P(GemvTest, WritesNothingForNoRowsOrNoBatchAndOnlyItsOwnElements) {
  Samples samples(5);
  const StoredMatrix w(DType::bfloat16, 4, 17, 0, samples);
  const Shifted<float> x = prepared(DType::bfloat16, samples.floats(2 * 17), 2, 17, 0);
  const std::vector<float> untouched(20, 7.0f);
  std::vector<float> y = untouched;
  gemv(w.view, {2, 2}, x.data(), 17, 2, y.data(), 10);
  gemv(w.view, {0, 4}, x.data(), 17, 0, y.data(), 10);
  EXPECT_TRUE(same_bits(y, untouched));

  gemv(w.view, {1, 4}, x.data(), 17, 2, y.data(), 10);  // 3 of every 10
  for (const std::size_t i : {3u, 9u, 13u, 19u}) EXPECT_EQ(y[i], 7.0f) << i;
  for (const std::size_t i : {0u, 2u, 10u, 12u}) EXPECT_NE(y[i], 7.0f) << i;
}

TEST_P(GemvTest, ARangeOfTwoStreamsIsItsRowsAndNoOthers) {
  constexpr std::int64_t kRows = 6, kCols = 300;
  Samples samples(7);
  for (const std::int64_t batch : {1, 2, 5}) {
    const StoredMatrix w(DType::bfloat16, kRows, kCols, 0, samples);
    const Shifted<float> x = prepared(DType::bfloat16, samples.floats(batch * kCols), batch, kCols, 0);
    std::vector<float> all(static_cast<std::size_t>(batch * kRows)), y(all.size(), 7.0f);
    gemv(w.view, {0, kRows}, x.data(), kCols, batch, all.data(), kRows);
    gemv(w.view, {1, 3, 3}, x.data(), kCols, batch, y.data() + 1, kRows);  // rows 1, 2 and 4, 5
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t r = 0; r < kRows; ++r) {
        const float got = y[static_cast<std::size_t>(b * kRows + r)];
        EXPECT_EQ(got, r == 0 || r == 3 ? 7.0f : all[static_cast<std::size_t>(b * kRows + r)]) << b << ", " << r;
      }
    }
  }
}

TEST_P(GemvTest, PreparingIsAPermutationThatOnlyBfloat16Needs) {
  for (const std::int64_t cols : kSizes) {
    const Shifted<float> x(Samples(3).floats(cols), 1);
    for (const DType dtype : kDTypes) {
      Shifted<float> out(std::vector<float>(static_cast<std::size_t>(cols), NAN), 1);
      gemv_prepare(dtype, x.data(), cols, out.data());
      std::vector<float> before = x.values(), after = out.values();
      if (dtype == DType::bfloat16) {
        std::sort(before.begin(), before.end());
        std::sort(after.begin(), after.end());
      }
      ASSERT_TRUE(same_bits(before, after)) << dtype_name(dtype) << " " << cols;
    }
  }
}

TEST_P(GemvTest, HoldsSubnormalAndLargeWeightsOfEveryDtypeExactly) {
  // One column, x = 1: y is the weight itself.
  const std::vector<float> weights = {0x1p-24f, 0x1p-14f, 65504.0f, -0.0f, 1.0f, -0x1.4p-20f};
  for (const DType dtype : kDTypes) {
    std::vector<std::byte> bytes(weights.size() * dtype_size(dtype));
    narrow_from_float32(dtype, weights.data(), weights.size(), bytes.data());
    std::vector<float> expected(weights.size()), y(weights.size());
    widen_to_float32(dtype, bytes.data(), weights.size(), expected.data());
    const float one = 1;
    const auto rows = static_cast<std::int64_t>(weights.size());
    gemv({dtype, bytes.data(), rows, 1}, {0, rows}, &one, 1, 1, y.data(), rows);
    EXPECT_EQ(y, expected) << dtype_name(dtype);
  }
}

TEST_P(GemvTest, ANotANumberInARowOfWOrInXComesOut) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t cols : {1, 17, 64, 100}) {
      for (std::int64_t at = 0; at < cols; ++at) {
        Samples samples(1);
        StoredMatrix w(dtype, 3, cols, 0, samples);
        const float nan = NAN;
        narrow_from_float32(dtype, &nan, 1,
                            w.bytes.data() + (cols + at) * static_cast<std::int64_t>(dtype_size(dtype)));
        std::vector<float> x = samples.floats(cols), y(3);
        gemv(w.view, {0, 3}, prepared(dtype, x, 1, cols, 0).data(), cols, 1, y.data(), 3);
        ASSERT_TRUE(!std::isnan(y[0]) && std::isnan(y[1]) && !std::isnan(y[2])) << dtype_name(dtype) << " at " << at;

        x[static_cast<std::size_t>(at)] = NAN;
        gemv(w.view, {0, 1}, prepared(dtype, x, 1, cols, 0).data(), cols, 1, y.data(), 3);
        ASSERT_TRUE(std::isnan(y[0])) << dtype_name(dtype) << " at " << at;
      }
    }
  }
}

XLSTM_ON_EVERY_TARGET(GemvTest);

}  // namespace
}  // namespace xlstm::testing
