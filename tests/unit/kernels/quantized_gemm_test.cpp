#include "xlstm/kernels/cpu/quantized_gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/kernels/affine_matrix.h"
#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/stored_matrix.h"
#include "xlstm/base/aligned_floats.h"
#include "xlstm/kernels/cpu/quantized_tile.h"

namespace xlstm::testing {
namespace {

using kernels::kPanelWidth;
using kernels::kQuantizedGemmRows;
using kernels::num_panels;
using kernels::QuantizedFormat;

std::vector<QuantizedFormat> all_formats() {
  std::vector<QuantizedFormat> formats;
  for (const DType type : {DType::int8, DType::int16}) {
    for (const int bits : {4, 8}) {
      for (const std::int64_t group_size : {32, 64, 128}) formats.push_back({type, bits, group_size});
    }
  }
  return formats;
}

/// x [tokens, cols] as quantize_panel leaves it, panel by panel.
struct QuantizedPanels {
  QuantizedPanels(const QuantizedFormat& format, const std::vector<float>& x, std::int64_t tokens, std::int64_t cols)
      : stride(kernels::quantized_panel_bytes(format, cols)),
        memory(static_cast<std::size_t>(num_panels(tokens) * stride / 4)) {
    std::fill_n(memory.data(), memory.size(), NAN);
    const std::vector<float> panels = to_panels(x, tokens, cols);
    for (std::int64_t p = 0; p < num_panels(tokens); ++p) {
      kernels::quantize_panel(format, panels.data() + p * cols * kPanelWidth, cols, data() + p * stride);
    }
  }
  std::byte* data() { return reinterpret_cast<std::byte*>(memory.data()); }

  std::int64_t stride;
  AlignedFloats memory;
};

void multiply_rows(const kernels::MatrixView& w, DType type, std::int64_t begin, std::int64_t end, const std::byte* x,
                   std::int64_t x_stride, float* y, std::int64_t y_stride, std::int64_t panels, bool accumulate) {
  AlignedFloats scratch(kernels::kQuantizedGemmScratch / 4);
  std::fill_n(scratch.data(), scratch.size(), NAN);
  kernels::quantized_gemm(w, type, begin, end, x, x_stride, y, y_stride, panels, accumulate,
                          reinterpret_cast<std::byte*>(scratch.data()));
}

/// All rows, kQuantizedGemmRows at a time; start [tokens, rows] is added to unless it is empty.
std::vector<float> multiply(const kernels::MatrixView& w, DType type, const std::vector<float>& x,
                            const std::vector<float>& start, std::int64_t tokens) {
  QuantizedPanels q({type, w.groups.bits, w.groups.group_size}, x, tokens, w.cols);
  const bool accumulate = !start.empty();
  Shifted<float> y(to_panels(accumulate ? start : std::vector<float>(static_cast<std::size_t>(tokens * w.rows), NAN),
                             tokens, w.rows),
                   1);
  for (std::int64_t r = 0; r < w.rows; r += kQuantizedGemmRows) {
    multiply_rows(w, type, r, std::min(r + kQuantizedGemmRows, w.rows), q.data(), q.stride, y.data(),
                  w.rows * kPanelWidth, num_panels(tokens), accumulate);
  }
  return from_panels(y.values(), tokens, w.rows);
}

struct Expected {
  std::vector<double> values, bound;
};

/// The formula of quantized_gemv.h in double. A group's term is rounded when its sum becomes a float, and by two
/// products; a bias, which AMX may multiply in three parts, no more often than that; and every one is added to y.
Expected oracle(const kernels::MatrixView& w, DType type, const std::vector<float>& x, const std::vector<float>& start,
                std::int64_t tokens) {
  const std::int64_t size = w.groups.group_size, groups = w.cols / size;
  Expected result;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto q = kernels::reference::quantize_activations(type, size, x.data() + t * w.cols, w.cols);
    for (std::int64_t r = 0; r < w.rows; ++r) {
      double sum = start.empty() ? 0 : start[static_cast<std::size_t>(t * w.rows + r)], magnitude = std::abs(sum);
      for (std::int64_t g = 0; g < groups; ++g) {
        std::int64_t products = 0, total = 0;
        for (std::int64_t c = g * size; c < (g + 1) * size; ++c) {
          const std::int64_t value = q.q[static_cast<std::size_t>(c)];
          products += value * kernels::reference::affine_q(w, r, c);
          total += value;
        }
        const double scale = q.scale[static_cast<std::size_t>(g)];
        const auto of_w = [&](const void* values) {
          return static_cast<double>(kernels::reference::affine_parameter(w, values, r * groups + g));
        };
        const double a = of_w(w.groups.scales) * scale * static_cast<double>(products);
        const double b = of_w(w.groups.biases) * scale * static_cast<double>(total);
        sum += a + b;
        magnitude += std::abs(a) + std::abs(b);
      }
      result.values.push_back(sum);
      result.bound.push_back((4 * static_cast<double>(groups) + 4) * kUnit * magnitude);
    }
  }
  return result;
}

class QuantizedGemmTest : public OnEveryTarget {};

/// q and scale of one token of a panel, wherever the target puts them.
kernels::reference::QuantizedActivations read_token(const QuantizedFormat& format, const std::byte* panel,
                                                    std::int64_t cols, std::int64_t t) {
  const kernels::QuantizedPanel at = kernels::quantized_panel(format, cols);
  const auto byte = [&](std::int64_t plane, std::int64_t c) {
    return static_cast<std::uint8_t>(panel[plane + (c / at.run * kPanelWidth + t) * at.run + c % at.run]);
  };
  kernels::reference::QuantizedActivations token;
  for (std::int64_t c = 0; c < cols; ++c) {
    std::int16_t value = 0;
    if (at.order == kernels::QuantizedOrder::pairs) {
      std::memcpy(&value, panel + ((c / 2 * kPanelWidth + t) * 2 + c % 2) * 2, 2);
    } else {
      value = static_cast<std::int8_t>(byte(0, c));
      if (at.order == kernels::QuantizedOrder::planes) value = static_cast<std::int16_t>(value * 256 + byte(at.low, c));
    }
    token.q.push_back(value);
  }
  token.scale.resize(static_cast<std::size_t>(cols / format.group_size));
  for (std::size_t g = 0; g < token.scale.size(); ++g) {
    std::memcpy(&token.scale[g], panel + at.scales + (static_cast<std::int64_t>(g) * kPanelWidth + t) * 4, 4);
  }
  return token;
}

TEST_P(QuantizedGemmTest, APanelHasTheScalesAndNumbersOfTheOracle) {
  for (const QuantizedFormat& format : all_formats()) {
    const std::int64_t cols = 5 * format.group_size, tokens = 16;
    Samples samples(static_cast<std::uint64_t>(cols));
    std::vector<float> x = samples.floats(tokens * cols);
    const auto at = [&](std::int64_t t, std::int64_t c) -> float& { return x[static_cast<std::size_t>(t * cols + c)]; };
    for (std::int64_t c = 0; c < cols; ++c) {
      at(1, c) = 0;
      at(2, c) *= 1e-37f;                                   // scales round the smallest normal number
      at(3, c) *= 1e-40f;                                   // only subnormal numbers
      at(4, c) = static_cast<float>(c % 255 - 127) + 0.5f;  // ties
      at(5, c) *= std::numeric_limits<float>::max();
    }
    at(4, 0) = 127;
    at(6, 3) = NAN;
    at(7, cols - 1) = INFINITY;
    at(8, 0) = -INFINITY;
    QuantizedPanels q(format, x, tokens, cols);
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto expected =
          kernels::reference::quantize_activations(format.type, format.group_size, x.data() + t * cols, cols);
      const auto actual = read_token(format, q.data(), cols, t);
      ASSERT_EQ(actual.q, expected.q) << "token " << t << " group size " << format.group_size;
      for (std::size_t g = 0; g < expected.scale.size(); ++g) {
        if (std::isnan(expected.scale[g])) {
          ASSERT_TRUE(std::isnan(actual.scale[g])) << "token " << t;
        } else {
          ASSERT_EQ(actual.scale[g], expected.scale[g]) << "token " << t;
        }
      }
    }
  }
}

TEST_P(QuantizedGemmTest, EqualsTheOracleForEveryFormatAndNumberOfGroups) {
  std::int64_t round = 0;
  for (std::int64_t groups = 1; groups <= 40; ++groups) {
    for (const QuantizedFormat& format : all_formats()) {
      ++round;
      const std::int64_t rows = 1 + round % 19, tokens = 1 + round * 7 % 33;
      Samples samples(static_cast<std::uint64_t>(round));
      const AffineMatrix w(format.weight_bits, format.group_size, kDTypes[round % 3], rows, groups * format.group_size,
                           round % 2, samples);
      const std::vector<float> x = samples.floats(tokens * w.view.cols);
      const std::vector<float> start = round % 5 < 2 ? samples.floats(tokens * rows) : std::vector<float>();
      const Expected expected = oracle(w.view, format.type, x, start, tokens);
      expect_within(multiply(w.view, format.type, x, start, tokens), expected.values, expected.bound,
                    dtype_name(w.view.groups.dtype));
      if (HasFatalFailure()) {
        FAIL() << "groups " << groups << " of " << format.group_size << ", " << format.weight_bits << " bits by "
               << dtype_name(format.type) << ", rows " << rows << ", tokens " << tokens;
      }
    }
  }
}

TEST_P(QuantizedGemmTest, EveryNumberOfRows) {
  for (std::int64_t rows = 1; rows <= 2 * kQuantizedGemmRows + 8; ++rows) {
    const std::vector<QuantizedFormat> formats = all_formats();
    const QuantizedFormat& format = formats[static_cast<std::size_t>(rows) % formats.size()];
    const std::int64_t tokens = 1 + rows % 80;  // up to five panels
    Samples samples(static_cast<std::uint64_t>(rows));
    const AffineMatrix w(format.weight_bits, format.group_size, kDTypes[rows % 3], rows, 128, 0, samples);
    const std::vector<float> x = samples.floats(tokens * 128);
    const Expected expected = oracle(w.view, format.type, x, {}, tokens);
    expect_within(multiply(w.view, format.type, x, {}, tokens), expected.values, expected.bound, "rows");
    if (HasFatalFailure()) FAIL() << "rows " << rows;
  }
}

TEST_P(QuantizedGemmTest, SumsOfTheLargestNumbersAreExact) {
  for (const QuantizedFormat& format : all_formats()) {
    for (const float sign : {1.0f, -1.0f}) {
      const std::int64_t rows = 13, cols = 3 * format.group_size, tokens = 32;
      Samples samples(1);
      AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, rows, cols, 0, samples);
      std::fill_n(w.words.data(), rows * cols * format.weight_bits / 32, 0xffffffffu);
      const std::vector<float> x(static_cast<std::size_t>(tokens * cols), sign);
      const Expected expected = oracle(w.view, format.type, x, {}, tokens);
      expect_within(multiply(w.view, format.type, x, {}, tokens), expected.values, expected.bound, "largest");
      if (HasFatalFailure()) FAIL() << format.weight_bits << " bits by " << dtype_name(format.type);
    }
  }
}

TEST_P(QuantizedGemmTest, ZerosGiveZeroOrWhatWasThere) {
  for (const QuantizedFormat& format : all_formats()) {
    Samples samples(1);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::float32, 5, 256, 0, samples);
    const std::vector<float> x(16 * 256, 0.0f), start = samples.floats(16 * 5);
    EXPECT_EQ(multiply(w.view, format.type, x, {}, 16), std::vector<float>(16 * 5, 0.0f));
    EXPECT_EQ(multiply(w.view, format.type, x, start, 16), start);
  }
}

// The promise that prefill rests on: what else is in the call changes no bit of a token.
TEST_P(QuantizedGemmTest, ATokenHasTheSameBitsWhateverItsNeighboursPanelsAndRowRanges) {
  for (const QuantizedFormat& format : all_formats()) {
    const std::int64_t rows = 29, tokens = 5 * kPanelWidth, cols = 7 * format.group_size;
    Samples samples(static_cast<std::uint64_t>(cols));
    const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, rows, cols, 0, samples);
    const std::vector<float> x = samples.floats(tokens * cols);
    const std::vector<float> together = multiply(w.view, format.type, x, {}, tokens);
    for (const std::int64_t token : {0, 7, 16, 47, 79}) {  // alone, in another lane, its neighbours NaN
      const std::int64_t lane = (token * 5 + 3) % kPanelWidth;
      std::vector<float> alone(static_cast<std::size_t>(kPanelWidth * cols), NAN);
      std::copy_n(x.data() + token * cols, cols, alone.data() + lane * cols);
      QuantizedPanels q(format, alone, kPanelWidth, cols);
      std::vector<float> y(static_cast<std::size_t>(rows * kPanelWidth), NAN);
      for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, 8}, {8, 29}}) {
        multiply_rows(w.view, format.type, begin, end, q.data(), 0, y.data(), 0, 1, false);
      }
      for (std::int64_t r = 0; r < rows; ++r) {
        ASSERT_EQ(y[static_cast<std::size_t>(r * kPanelWidth + lane)],
                  together[static_cast<std::size_t>(token * rows + r)])
            << format.weight_bits << " bits by " << dtype_name(format.type) << ", token " << token << " row " << r;
      }
    }
  }
}

TEST_P(QuantizedGemmTest, ANotANumberOrAnInfinityComesOutInItsTokenAndNowhereElse) {
  for (const QuantizedFormat& format : all_formats()) {
    Samples samples(2);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, 14, 256, 0, samples);
    std::vector<float> x = samples.floats(32 * 256);
    x[9 * 256 + 4] = NAN;
    x[20 * 256 + 255] = -INFINITY;
    const std::vector<float> y = multiply(w.view, format.type, x, {}, 32);
    for (std::int64_t t = 0; t < 32; ++t) {
      for (std::int64_t r = 0; r < 14; ++r) {
        ASSERT_EQ(std::isnan(y[static_cast<std::size_t>(t * 14 + r)]), t == 9 || t == 20) << "token " << t;
      }
    }
  }
}

TEST_P(QuantizedGemmTest, WritesOnlyItsOwnRows) {
  for (const QuantizedFormat& format : all_formats()) {
    Samples samples(2);
    const AffineMatrix w(format.weight_bits, format.group_size, DType::bfloat16, 10, 128, 0, samples);
    QuantizedPanels q(format, samples.floats(16 * 128), 16, 128);
    std::vector<float> y(10 * kPanelWidth, 7.0f);
    multiply_rows(w.view, format.type, 3, 8, q.data(), 0, y.data(), 0, 1, false);
    for (std::int64_t i = 0; i < 10 * kPanelWidth; ++i) {
      const bool own = i >= 3 * kPanelWidth && i < 8 * kPanelWidth;
      ASSERT_EQ(y[static_cast<std::size_t>(i)] != 7.0f, own) << i;
    }
  }
}

XLSTM_ON_EVERY_TARGET(QuantizedGemmTest);

}  // namespace
}  // namespace xlstm::testing
