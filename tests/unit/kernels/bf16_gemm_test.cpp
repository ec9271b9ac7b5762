#include "xlstm/kernels/cpu/bf16_gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/stored_matrix.h"
#include "xlstm/base/aligned_floats.h"
#include "xlstm/kernels/reference/matmul.h"

namespace xlstm::testing {
namespace {

using kernels::bf16_panel_size;
using kernels::kBf16GemmRows;
using kernels::kPanelWidth;
using kernels::num_panels;

std::vector<float> rounded(std::vector<float> x) {
  for (float& value : x) value = bfloat16_to_float32(float32_to_bfloat16(value));
  return x;
}

/// x [tokens, cols], rounded panel by panel.
struct Bf16Panels {
  Bf16Panels(const std::vector<float>& x, std::int64_t tokens, std::int64_t cols)
      : memory(static_cast<std::size_t>(num_panels(tokens) * bf16_panel_size(cols) / 2)) {
    std::fill_n(memory.data(), memory.size(), NAN);
    const Shifted<float> panels(to_panels(x, tokens, cols), 1);
    for (std::int64_t p = 0; p < num_panels(tokens); ++p) {
      kernels::bf16_round_panel(panels.data() + p * cols * kPanelWidth, cols, data() + p * bf16_panel_size(cols));
    }
  }
  std::uint16_t* data() { return reinterpret_cast<std::uint16_t*>(memory.data()); }
  AlignedFloats memory;
};

void multiply_rows(const kernels::MatrixView& w, std::int64_t begin, std::int64_t end, Bf16Panels& x, float* y,
                   std::int64_t panels, bool accumulate) {
  AlignedFloats scratch(kernels::kBf16GemmScratch / 2);
  std::fill_n(scratch.data(), scratch.size(), NAN);
  kernels::bf16_gemm(w, begin, end, x.data(), bf16_panel_size(w.cols), y, w.rows * kPanelWidth, panels, accumulate,
                     reinterpret_cast<std::uint16_t*>(scratch.data()));
}

/// All rows; start [tokens, rows] is added to unless it is empty.
std::vector<float> multiply(const StoredMatrix& w, const std::vector<float>& x, const std::vector<float>& start,
                            std::int64_t tokens) {
  const std::int64_t rows = w.view.rows;
  const bool accumulate = !start.empty();
  Bf16Panels panels(x, tokens, w.view.cols);
  Shifted<float> y(
      to_panels(accumulate ? start : std::vector<float>(static_cast<std::size_t>(tokens * rows), NAN), tokens, rows),
      1);
  for (std::int64_t r = 0; r < rows; r += kBf16GemmRows) {
    multiply_rows(w.view, r, std::min(r + kBf16GemmRows, rows), panels, y.data(), num_panels(tokens), accumulate);
  }
  return from_panels(y.values(), tokens, rows);
}

struct Expected {
  std::vector<double> values, bound;
};

/// start + W x with x rounded, and (cols + cuts + 3) u (|start| + sum |w x|): as for float32 (panel_gemm_test.cpp).
/// Numbers here are far above the smallest normal one.
Expected oracle(const StoredMatrix& w, const std::vector<float>& x, const std::vector<float>& start,
                std::int64_t tokens) {
  const std::int64_t rows = w.view.rows, cols = w.view.cols;
  const std::vector<double> xd = widened(rounded(x));
  Expected result = {std::vector<double>(static_cast<std::size_t>(tokens * rows)), {}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    double* y = result.values.data() + t * rows;
    kernels::reference::matvec<double>(w.values.data(), rows, cols, xd.data() + t * cols, nullptr, y);
    for (std::int64_t r = 0; r < rows; ++r) {
      const double from = start.empty() ? 0 : start[static_cast<std::size_t>(t * rows + r)];
      double magnitude = std::abs(from);
      for (std::int64_t c = 0; c < cols; ++c) {
        magnitude +=
            std::abs(w.values[static_cast<std::size_t>(r * cols + c)] * xd[static_cast<std::size_t>(t * cols + c)]);
      }
      y[r] += from;
      result.bound.push_back(static_cast<double>(cols + cols / kernels::kBf16GemmCols + 3) * kUnit * magnitude);
    }
  }
  return result;
}

class Bf16PanelTest : public OnEveryTarget {};

TEST_P(Bf16PanelTest, FeaturesAreRoundedInPairsAndZerosFollow) {
  for (const std::int64_t cols : {0, 1, 2, 31, 32, 33, 70}) {
    Samples samples(static_cast<std::uint64_t>(cols));
    std::vector<float> x = samples.floats(cols * kPanelWidth);
    if (cols > 1) {
      x[0] = std::numeric_limits<float>::max();  // becomes infinity
      x[1] = -INFINITY;
      x[2] = 1.00390625f;  // a tie: down to the even
      x[3] = 1.01171875f;  // a tie: up to the even
      x[4] = NAN;
      const std::uint32_t hidden = 0x7f800001;  // a NaN whose upper half alone would be infinity
      std::memcpy(&x[5], &hidden, sizeof(hidden));
      x[6] = 1e-45f;
      x[7] = -0.0f;
    }
    std::vector<std::uint16_t> out(static_cast<std::size_t>(bf16_panel_size(cols)), 0xffff);
    kernels::bf16_round_panel(x.data(), cols, out.data());
    for (std::int64_t c = 0; c < (cols + 31) / 32 * 32; ++c) {
      for (std::int64_t t = 0; t < kPanelWidth; ++t) {
        const std::uint16_t expected =
            c < cols ? float32_to_bfloat16(x[static_cast<std::size_t>(c * kPanelWidth + t)]) : std::uint16_t{0};
        ASSERT_EQ(out[static_cast<std::size_t>((c / 2 * kPanelWidth + t) * 2 + c % 2)], expected)
            << "cols " << cols << " feature " << c << " token " << t;
      }
    }
  }
}

class Bf16GemmTest : public OnEveryTarget {
 protected:
  void SetUp() override {
    OnEveryTarget::SetUp();
    ASSERT_TRUE(kernels::cpu_extensions().avx512_bf16);
  }
};

/// Those with the instructions of bf16_gemm (dispatch.h), which is called on no others. By name: a target that is
/// forced before main would hide XLSTM_CPU_TARGET.
std::vector<std::string> bf16_targets() {
  std::vector<std::string> targets = kernels::cpu_targets();
  std::erase_if(targets, [](const std::string& target) { return target != "AMX" && target != "AVX512_BF16"; });
  return targets;
}

TEST_P(Bf16GemmTest, EqualsTheOracleForEverySizeAndOffset) {
  for (const std::int64_t cols : kSizes) {
    for (const bool accumulate : {false, true}) {
      const std::int64_t rows = cols % 27, tokens = 1 + cols % 66;
      Samples samples(static_cast<std::uint64_t>(cols));
      const StoredMatrix w(DType::bfloat16, rows, cols, cols % 2, samples);
      const std::vector<float> x = samples.floats(tokens * cols);
      const std::vector<float> start = accumulate ? samples.floats(tokens * rows) : std::vector<float>();
      const Expected expected = oracle(w, x, start, tokens);
      expect_within(multiply(w, x, start, tokens), expected.values, expected.bound, "bf16");
      if (HasFatalFailure()) FAIL() << "cols " << cols << " accumulate " << accumulate;
    }
  }
}

TEST_P(Bf16GemmTest, EveryNumberOfRowsAndColumnsPastTheCut) {
  for (std::int64_t rows = 1; rows <= kBf16GemmRows + 8; ++rows) {
    const std::int64_t cols = rows % 2 == 0 ? 9 : 2 * kernels::kBf16GemmCols + 1, tokens = 1 + rows % 40;
    Samples samples(static_cast<std::uint64_t>(rows));
    const StoredMatrix w(DType::bfloat16, rows, cols, 1, samples);
    const std::vector<float> x = samples.floats(tokens * cols);
    const Expected expected = oracle(w, x, {}, tokens);
    expect_within(multiply(w, x, {}, tokens), expected.values, expected.bound, "rows");
    if (HasFatalFailure()) FAIL() << "rows " << rows;
  }
}

// The promise that prefill rests on: what else is in the call changes no bit of a token.
TEST_P(Bf16GemmTest, ATokenHasTheSameBitsWhateverItsNeighboursPanelsAndRowRanges) {
  constexpr std::int64_t kRows = 29, kTokens = 3 * kPanelWidth;
  for (const std::int64_t cols : {5, 64, 300}) {
    Samples samples(static_cast<std::uint64_t>(cols));
    const StoredMatrix w(DType::bfloat16, kRows, cols, 0, samples);
    const std::vector<float> x = samples.floats(kTokens * cols);
    const std::vector<float> together = multiply(w, x, {}, kTokens);
    for (const std::int64_t token : {0, 7, 15, 16, 30, 47}) {  // alone, in another lane, its neighbours NaN
      const std::int64_t lane = (token * 5 + 3) % kPanelWidth;
      std::vector<float> alone(static_cast<std::size_t>(kPanelWidth * cols), NAN);
      std::copy_n(x.data() + token * cols, cols, alone.data() + lane * cols);
      Bf16Panels panels(alone, kPanelWidth, cols);
      std::vector<float> y(kRows * kPanelWidth, NAN);
      for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, 8}, {8, 29}}) {
        multiply_rows(w.view, begin, end, panels, y.data(), 1, false);
      }
      for (std::int64_t r = 0; r < kRows; ++r) {
        ASSERT_EQ(y[static_cast<std::size_t>(r * kPanelWidth + lane)],
                  together[static_cast<std::size_t>(token * kRows + r)])
            << "cols " << cols << " token " << token << " row " << r;
      }
    }
  }
}

TEST_P(Bf16GemmTest, WritesOnlyItsOwnRows) {
  Samples samples(2);
  const StoredMatrix w(DType::bfloat16, 10, 6, 0, samples);
  Bf16Panels x(samples.floats(16 * 6), 16, 6);
  std::vector<float> y(10 * kPanelWidth, 7.0f);
  multiply_rows(w.view, 3, 8, x, y.data(), 1, false);
  for (std::int64_t i = 0; i < 10 * kPanelWidth; ++i) {
    const bool own = i >= 3 * kPanelWidth && i < 8 * kPanelWidth;
    EXPECT_EQ(y[static_cast<std::size_t>(i)] != 7.0f, own) << i;
  }
}

TEST_P(Bf16GemmTest, ANotANumberInOneWeightOrTokenComesOutThereAndNowhereElse) {
  Samples samples(2);
  StoredMatrix w(DType::bfloat16, 5, 33, 0, samples);
  const float nan = NAN;
  narrow_from_float32(DType::bfloat16, &nan, 1, w.bytes.data() + (2 * 33 + 32) * 2);
  std::vector<float> x = samples.floats(32 * 33);
  x[9 * 33 + 4] = NAN;
  const std::vector<float> y = multiply(w, x, {}, 32);
  for (std::int64_t t = 0; t < 32; ++t) {
    for (std::int64_t r = 0; r < 5; ++r) {
      ASSERT_EQ(std::isnan(y[static_cast<std::size_t>(t * 5 + r)]), t == 9 || r == 2) << "token " << t << " row " << r;
    }
  }
}

XLSTM_ON_EVERY_TARGET(Bf16PanelTest);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Bf16GemmTest);  // a CPU without them
INSTANTIATE_TEST_SUITE_P(Cpu, Bf16GemmTest, ::testing::ValuesIn(bf16_targets()), target_of);

}  // namespace
}  // namespace xlstm::testing
