#include "xlstm/kernels/cpu/panel_gemm.h"

#include <cmath>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/samples.h"
#include "tests/unit/kernels/stored_matrix.h"
#include "xlstm/base/aligned_floats.h"
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/reference/matmul.h"

namespace xlstm::testing {
namespace {

using kernels::kGemmRows;
using kernels::kPanelWidth;
using kernels::num_panels;
using kernels::panel_gemm;
using kernels::panel_gemm_small;

/// Rows [begin, end) as the target in use does it: with AMX, products of bfloat16 go by the tile unit.
void multiply_rows(const kernels::MatrixView& w, std::int64_t begin, std::int64_t end, const float* x,
                   std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate) {
  if (kernels::cpu_extensions().amx && w.dtype == DType::bfloat16) {
    const std::int64_t size = kernels::amx_panel_size(w.cols);
    AlignedFloats parts(static_cast<std::size_t>(panels * size / 2)), room(kernels::kAmxScratch / 2);
    std::fill_n(parts.data(), parts.size(), NAN);
    auto* const split = reinterpret_cast<std::uint16_t*>(parts.data());
    for (std::int64_t p = 0; p < panels; ++p) kernels::amx_split_panel(x + p * x_stride, w.cols, split + p * size);
    kernels::amx_gemm(w, begin, end, split, size, y, y_stride, panels, accumulate,
                      reinterpret_cast<std::uint16_t*>(room.data()));
  } else {
    std::vector<float> room(static_cast<std::size_t>(kernels::kGemmScratch), NAN);
    panel_gemm(w, begin, end, x, x_stride, y, y_stride, panels, accumulate, room.data());
  }
}

/// All rows of W for `panels` panels, kGemmRows at a time.
void multiply(const kernels::MatrixView& w, const float* x, std::int64_t x_stride, float* y, std::int64_t y_stride,
              std::int64_t panels, bool accumulate) {
  for (std::int64_t r = 0; r < w.rows; r += kGemmRows) {
    multiply_rows(w, r, std::min(r + kGemmRows, w.rows), x, x_stride, y, y_stride, panels, accumulate);
  }
}

struct Expected {
  std::vector<double> values, bound;
};

/// start + W x for each token, and (cols + 3) u (|start| + sum |w x|): cols products, their sums, and one sum more
/// where the columns are cut (every kGemmCols) or y is added to.
Expected oracle(const std::vector<double>& w, std::int64_t rows, std::int64_t cols, const std::vector<float>& x,
                const std::vector<float>& start, std::int64_t tokens) {
  const std::vector<double> xd = widened(x);
  Expected result = {std::vector<double>(static_cast<std::size_t>(tokens * rows)), {}};
  result.bound = result.values;
  for (std::int64_t t = 0; t < tokens; ++t) {
    double* y = result.values.data() + t * rows;
    kernels::reference::matvec<double>(w.data(), rows, cols, xd.data() + t * cols, nullptr, y);
    for (std::int64_t r = 0; r < rows; ++r) {
      const double from = start[static_cast<std::size_t>(t * rows + r)];
      double magnitude = std::abs(from);
      for (std::int64_t c = 0; c < cols; ++c) {
        magnitude += std::abs(w[static_cast<std::size_t>(r * cols + c)] * xd[static_cast<std::size_t>(t * cols + c)]);
      }
      y[r] += from;
      const double cuts = static_cast<double>(cols / kernels::kGemmCols);
      result.bound[static_cast<std::size_t>(t * rows + r)] = (static_cast<double>(cols) + cuts + 3) * kUnit * magnitude;
    }
  }
  return result;
}

class PanelGemmTest : public OnEveryTarget {};

TEST_P(PanelGemmTest, EqualsTheOracleForEveryDtypeSizeAndOffset) {
  for (const DType dtype : kDTypes) {
    for (const std::int64_t cols : kSizes) {
      for (const bool accumulate : {false, true}) {
        const std::int64_t rows = cols % 14, tokens = 1 + cols % 33, offset = cols % 2;
        Samples samples(static_cast<std::uint64_t>(cols));
        const StoredMatrix w(dtype, rows, cols, offset, samples);
        const std::vector<float> x = samples.floats(tokens * cols);
        const std::vector<float> start = accumulate ? samples.floats(tokens * rows)
                                                    : std::vector<float>(static_cast<std::size_t>(tokens * rows), 0.0f);
        const Shifted<float> xp(to_panels(x, tokens, cols), offset);
        Shifted<float> yp(to_panels(start, tokens, rows), offset);
        multiply(w.view, xp.data(), cols * kPanelWidth, yp.data(), rows * kPanelWidth, num_panels(tokens), accumulate);

        const Expected expected = oracle(w.values, rows, cols, x, start, tokens);
        expect_within(from_panels(yp.values(), tokens, rows), expected.values, expected.bound, dtype_name(dtype));
        if (HasFatalFailure()) FAIL() << "cols " << cols << " accumulate " << accumulate;
      }
    }
  }
}

TEST_P(PanelGemmTest, EveryNumberOfRowsUpToTheMostAndColumnsPastTheCut) {
  for (std::int64_t rows = 0; rows <= kGemmRows; ++rows) {
    const std::int64_t cols = rows % 2 == 0 ? 9 : kernels::kGemmCols + 1, tokens = 16;
    Samples samples(static_cast<std::uint64_t>(rows));
    const StoredMatrix w(DType::bfloat16, rows, cols, 1, samples);
    const std::vector<float> x = samples.floats(tokens * cols);
    std::vector<float> y = to_panels(std::vector<float>(static_cast<std::size_t>(tokens * rows), NAN), tokens, rows);
    multiply(w.view, to_panels(x, tokens, cols).data(), 0, y.data(), 0, 1, false);
    const std::vector<float> zeros(static_cast<std::size_t>(tokens * rows), 0.0f);
    const Expected expected = oracle(w.values, rows, cols, x, zeros, tokens);
    expect_within(from_panels(y, tokens, rows), expected.values, expected.bound, "rows");
    if (HasFatalFailure()) FAIL() << "rows " << rows;
  }
}

TEST_P(PanelGemmTest, ASumOverNoColumnsIsZeroOrWhatWasThere) {
  const float none = 0;
  for (const bool accumulate : {false, true}) {
    std::vector<float> y(3 * kPanelWidth, 7.0f);
    multiply_rows({DType::float32, &none, 3, 0}, 0, 3, &none, 0, y.data(), 0, 1, accumulate);
    EXPECT_EQ(y, std::vector<float>(3 * kPanelWidth, accumulate ? 7.0f : 0.0f));
  }
}

// The promise that prefill rests on: what else is in the call changes no bit of a token.
TEST_P(PanelGemmTest, ATokenHasTheSameBitsWhateverItsNeighboursPanelsAndRowRanges) {
  constexpr std::int64_t kRows = 29, kPanels = 3, kTokens = kPanels * kPanelWidth;
  for (const DType dtype : kDTypes) {
    for (const std::int64_t cols : {5, 64, 300}) {
      Samples samples(static_cast<std::uint64_t>(cols));
      const StoredMatrix w(dtype, kRows, cols, 0, samples);
      const std::vector<float> x = samples.floats(kTokens * cols);
      const std::vector<float> xp = to_panels(x, kTokens, cols);
      std::vector<float> together(static_cast<std::size_t>(kTokens * kRows));
      multiply(w.view, xp.data(), cols * kPanelWidth, together.data(), kRows * kPanelWidth, kPanels, false);
      const std::vector<float> expected = from_panels(together, kTokens, kRows);

      for (const std::int64_t token : {0, 7, 15, 16, 30, 47}) {  // alone, in another lane, its neighbours NaN
        const std::int64_t lane = (token * 5 + 3) % kPanelWidth;
        std::vector<float> alone(static_cast<std::size_t>(cols * kPanelWidth), NAN);
        for (std::int64_t c = 0; c < cols; ++c) {
          alone[static_cast<std::size_t>(c * kPanelWidth + lane)] = x[static_cast<std::size_t>(token * cols + c)];
        }
        std::vector<float> y(kRows * kPanelWidth, NAN);
        for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, 8}, {8, 29}}) {
          multiply_rows(w.view, begin, end, alone.data(), 0, y.data(), 0, 1, false);
        }
        for (std::int64_t r = 0; r < kRows; ++r) {
          ASSERT_EQ(y[static_cast<std::size_t>(r * kPanelWidth + lane)],
                    expected[static_cast<std::size_t>(token * kRows + r)])
              << dtype_name(dtype) << " cols " << cols << " token " << token << " row " << r;
        }
      }
    }
  }
}

TEST_P(PanelGemmTest, WritesOnlyItsOwnRows) {
  Samples samples(2);
  const StoredMatrix w(DType::float32, 10, 6, 0, samples);
  const std::vector<float> x = to_panels(samples.floats(16 * 6), 16, 6);
  std::vector<float> y(10 * kPanelWidth, 7.0f);
  multiply_rows(w.view, 3, 8, x.data(), 0, y.data(), 0, 1, false);
  for (std::int64_t i = 0; i < 10 * kPanelWidth; ++i) {
    const bool own = i >= 3 * kPanelWidth && i < 8 * kPanelWidth;
    EXPECT_EQ(y[static_cast<std::size_t>(i)] != 7.0f, own) << i;
  }
}

TEST_P(PanelGemmTest, ANotANumberInOneWeightOrTokenComesOutThereAndNowhereElse) {
  for (const DType dtype : kDTypes) {
    Samples samples(2);
    StoredMatrix w(dtype, 5, 33, 0, samples);
    const float nan = NAN;
    narrow_from_float32(dtype, &nan, 1, w.bytes.data() + (2 * 33 + 32) * static_cast<std::int64_t>(dtype_size(dtype)));
    std::vector<float> x = samples.floats(16 * 33), y(5 * kPanelWidth);
    x[9 * 33 + 4] = NAN;
    multiply(w.view, to_panels(x, 16, 33).data(), 0, y.data(), 0, 1, false);
    const std::vector<float> tokens = from_panels(y, 16, 5);
    for (std::int64_t t = 0; t < 16; ++t) {
      for (std::int64_t r = 0; r < 5; ++r) {
        ASSERT_EQ(std::isnan(tokens[static_cast<std::size_t>(t * 5 + r)]), t == 9 || r == 2)
            << dtype_name(dtype) << " token " << t << " row " << r;
      }
    }
  }
}

// Rows and columns past everything that one call or one pass takes.
TEST_P(PanelGemmTest, ManyRowsAndColumns) {
  for (const DType dtype : kDTypes) {
    constexpr std::int64_t kRows = 101, kCols = 777, kTokens = 35;
    Samples samples(3);
    const StoredMatrix w(dtype, kRows, kCols, 1, samples);
    const std::vector<float> x = samples.floats(kTokens * kCols), start = samples.floats(kTokens * kRows);
    std::vector<float> y = to_panels(start, kTokens, kRows);
    const std::vector<float> xp = to_panels(x, kTokens, kCols);
    multiply(w.view, xp.data(), kCols * kPanelWidth, y.data(), kRows * kPanelWidth, num_panels(kTokens), true);
    const Expected expected = oracle(w.values, kRows, kCols, x, start, kTokens);
    expect_within(from_panels(y, kTokens, kRows), expected.values, expected.bound, dtype_name(dtype));
  }
}

/// A weight scale * q + bias is rounded once, or twice where the target has no fma: 2 u (|scale q| + |bias|) each.
Expected affine_oracle(const AffineMatrix& w, const std::vector<float>& x, const std::vector<float>& start,
                       std::int64_t tokens) {
  const kernels::MatrixView& view = w.view;
  Expected result = oracle(w.values, view.rows, view.cols, x, start, tokens);
  for (std::int64_t i = 0; i < tokens * view.rows; ++i) {
    const std::int64_t t = i / view.rows, r = i % view.rows;
    double rounding = 0;
    for (std::int64_t c = 0; c < view.cols; ++c) {
      const std::int64_t group = (r * view.cols + c) / view.groups.group_size;
      const double scale = kernels::reference::affine_parameter(view, view.groups.scales, group);
      const double bias = kernels::reference::affine_parameter(view, view.groups.biases, group);
      rounding += (std::abs(scale * kernels::reference::affine_q(view, r, c)) + std::abs(bias)) *
                  std::abs(x[static_cast<std::size_t>(t * view.cols + c)]);
    }
    result.bound[static_cast<std::size_t>(i)] += 2 * kUnit * rounding;
  }
  return result;
}

TEST_P(PanelGemmTest, QuantisedWeightsEqualTheOracle) {
  std::int64_t round = 0;
  for (const int bits : {4, 8}) {
    for (const std::int64_t group_size : {32, 64, 128}) {
      for (const DType dtype : kDTypes) {
        for (const std::int64_t groups : {1, 2, 3, 5, 12, 13, 25}) {  // up to three cuts of the columns
          ++round;
          const std::int64_t rows = 1 + round % 27, tokens = 1 + round * 5 % 33, cols = groups * group_size;
          Samples samples(static_cast<std::uint64_t>(round));
          const AffineMatrix w(bits, group_size, dtype, rows, cols, round % 2, samples);
          const std::vector<float> x = samples.floats(tokens * cols), start = samples.floats(tokens * rows);
          std::vector<float> y = to_panels(start, tokens, rows);
          multiply(w.view, to_panels(x, tokens, cols).data(), cols * kPanelWidth, y.data(), rows * kPanelWidth,
                   num_panels(tokens), true);
          const Expected expected = affine_oracle(w, x, start, tokens);
          expect_within(from_panels(y, tokens, rows), expected.values, expected.bound, dtype_name(dtype));
          if (HasFatalFailure()) FAIL() << bits << " bits, " << groups << " groups of " << group_size;
        }
      }
    }
  }
}

TEST_P(PanelGemmTest, SmallEqualsTheOracle) {
  for (const std::int64_t cols : {0, 1, 3, 4, 7, 16, 17, 65}) {
    for (std::int64_t rows = 0; rows < 15; ++rows) {
      const std::int64_t tokens = 20, offset = rows % 2;
      Samples samples(static_cast<std::uint64_t>(cols));
      const Shifted<float> w(samples.floats(rows * cols), offset);
      const std::vector<float> x = samples.floats(tokens * cols);
      const Shifted<float> xp(to_panels(x, tokens, cols), offset);
      Shifted<float> yp(std::vector<float>(static_cast<std::size_t>(2 * rows * kPanelWidth), NAN), offset);
      panel_gemm_small(w.data(), rows, cols, xp.data(), cols * kPanelWidth, yp.data(), rows * kPanelWidth, 2);
      const std::vector<float> zeros(static_cast<std::size_t>(tokens * rows), 0.0f);
      const Expected expected = oracle(widened(w.values()), rows, cols, x, zeros, tokens);
      expect_within(from_panels(yp.values(), tokens, rows), expected.values, expected.bound, "small");
      if (HasFatalFailure()) FAIL() << rows << " x " << cols;
    }
  }
}

XLSTM_ON_EVERY_TARGET(PanelGemmTest);

}  // namespace
}  // namespace xlstm::testing
