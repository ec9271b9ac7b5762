#include "xlstm/kernels/cpu/panel_ops.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/norm_bounds.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/base/dtype.h"
#include "xlstm/kernels/reference/activations.h"
#include "xlstm/kernels/reference/causal_conv.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;
using kernels::kPanelWidth;

class PanelOpsTest : public OnEveryTarget {};

/// Token t of [tokens, features].
std::vector<float> token(const std::vector<float>& x, std::int64_t t, std::int64_t features) {
  return {x.begin() + t * features, x.begin() + (t + 1) * features};
}

TEST_P(PanelOpsTest, NormsOfEachTokenEqualTheOracle) {
  for (const std::int64_t rows : kSizes) {
    for (const bool weighted : {false, true}) {
      const std::int64_t offset = rows % 2;
      Samples samples(static_cast<std::uint64_t>(rows));
      const std::vector<float> x = samples.floats(kPanelWidth * rows, -2, 3);
      const Shifted<float> panel(to_panels(x, kPanelWidth, rows), offset), weight(samples.floats(rows), offset),
          bias(samples.floats(rows), offset);
      const float* w = weighted ? weight.data() : nullptr;
      const float* b = weighted ? bias.data() : nullptr;
      Shifted<float> y(std::vector<float>(static_cast<std::size_t>(rows * kPanelWidth), NAN), offset);
      const std::int64_t groups = rows % 3 == 0 ? 3 : 1;

      kernels::panel_rms_norm(panel.data(), rows, w, b, 1e-6f, y.data());
      const std::vector<float> rms = from_panels(y.values(), kPanelWidth, rows);
      kernels::panel_group_norm(panel.data(), rows, groups, w, b, 1e-5f, y.data());
      const std::vector<float> group = from_panels(y.values(), kPanelWidth, rows);
      for (std::int64_t t = 0; t < kPanelWidth; ++t) {
        const std::vector<float> one = token(x, t, rows);
        const NormOracle r = rms_norm_oracle(one, weighted, weight.values(), bias.values(), 1e-6f);
        expect_within(token(rms, t, rows), r.values, r.bound, "panel_rms_norm");
        const NormOracle g = group_norm_oracle(one, groups, weighted, weight.values(), bias.values(), 1e-5f);
        expect_within(token(group, t, rows), g.values, g.bound, "panel_group_norm");
      }
      if (HasFatalFailure()) FAIL() << "rows " << rows << " weighted " << weighted;
    }
  }
}

TEST_P(PanelOpsTest, ATokensNormDoesNotDependOnItsLaneOrNeighboursAndMayBeInPlace) {
  constexpr std::int64_t kRows = 21;
  const std::vector<float> x = Samples(3).floats(kRows);
  std::vector<float> first_rms, first_group;
  for (int lane = 0; lane < kPanelWidth; ++lane) {
    std::vector<float> rms(kRows * kPanelWidth, lane % 2 == 0 ? NAN : 1e30f);
    kernels::panel_set_lane(rms.data(), kRows, lane, x.data());
    std::vector<float> group = rms, y(kRows);
    kernels::panel_rms_norm(rms.data(), kRows, nullptr, nullptr, 1e-6f, rms.data());
    kernels::panel_group_norm(group.data(), kRows, 3, nullptr, nullptr, 1e-6f, group.data());
    kernels::panel_get_lane(rms.data(), kRows, lane, y.data());
    if (lane == 0) first_rms = y;
    EXPECT_TRUE(same_bits(y, first_rms)) << lane;
    kernels::panel_get_lane(group.data(), kRows, lane, y.data());
    if (lane == 0) first_group = y;
    EXPECT_TRUE(same_bits(y, first_group)) << lane;
  }
}

TEST_P(PanelOpsTest, SumsAndProductsAreRoundedOnce) {
  for (const std::int64_t size : kSizes) {
    Samples samples(static_cast<std::uint64_t>(size));
    const Shifted<float> x(samples.floats(size), size % 2);
    const Shifted<float> start(samples.floats(size), size % 2);
    Shifted<float> sum(start.values(), 1), product(start.values(), 1);
    kernels::add_in_place(sum.data(), x.data(), size);
    kernels::multiply_in_place(product.data(), x.data(), size);
    for (std::int64_t i = 0; i < size; ++i) {
      ASSERT_EQ(sum.data()[i], start.data()[i] + x.data()[i]) << size;
      ASSERT_EQ(product.data()[i], start.data()[i] * x.data()[i]) << size;
    }
  }
}

TEST_P(PanelOpsTest, BiasAndScaledRowsGoToEveryLaneOfTheirRow) {
  for (const std::int64_t rows : kSizes) {
    Samples samples(static_cast<std::uint64_t>(rows));
    const Shifted<float> x(samples.floats(rows * kPanelWidth), 1), weight(samples.floats(rows), 1);
    const std::vector<float> start = samples.floats(rows * kPanelWidth);
    Shifted<float> biased(start, 1), scaled(start, 1);
    kernels::panel_add_bias(biased.data(), rows, weight.data());
    kernels::panel_add_scaled_rows(x.data(), rows, weight.data(), scaled.data());
    for (std::int64_t i = 0; i < rows * kPanelWidth; ++i) {
      const float from = start[static_cast<std::size_t>(i)], w = weight.data()[i / kPanelWidth];
      ASSERT_EQ(biased.data()[i], from + w) << rows;
      const double product = static_cast<double>(w) * x.data()[i];
      // A product and a sum, or one fma.
      ASSERT_PRED3(within, scaled.data()[i], from + product, kUnit * (2 * std::abs(product) + std::abs(from))) << rows;
    }
  }
}

/// From -100 to 100, dense round zero, and the values themselves at the ends.
std::vector<float> gate_values(std::int64_t size) {
  Samples samples(static_cast<std::uint64_t>(size));
  std::vector<float> x = samples.floats(size, -1, 1);
  for (float& value : x) value *= std::pow(10.0f, samples.next(-6, 2));
  const float edges[] = {0.0f, -0.0f, 15.0f, -15.0f, 100.0f, -100.0f, 88.0f, -88.0f, 1e-30f, 3e4f, -3e4f};
  for (std::size_t i = 0; i < x.size() && i < std::size(edges); ++i) x[x.size() - 1 - i] = edges[i];
  return x;
}

TEST_P(PanelOpsTest, GatesEqualTheOracle) {
  // sigma: exp, two roundings; times y one more; e^-x is held at e^87, so sigma never falls below 1.7e-38.
  constexpr double kSigma = kExpError + 3 * kUnit, kFloor = 2e-38;
  for (const std::int64_t size : kSizes) {
    const Shifted<float> gate(gate_values(size), size % 2);
    const Shifted<float> y(Samples(7).floats(size), 1);
    Shifted<float> sigmoid(y.values(), 1), silu(y.values(), 1), plain(y.values(), 1);
    kernels::sigmoid_gate_in_place(sigmoid.data(), gate.data(), size);
    kernels::silu_gate_in_place(silu.data(), gate.data(), size);
    kernels::silu(gate.data(), size, plain.data());
    for (std::int64_t i = 0; i < size; ++i) {
      const double g = gate.data()[i], x = y.data()[i], s = reference::sigmoid(g);
      const double error = kSigma * s + kFloor;
      ASSERT_PRED3(within, sigmoid.data()[i], s * x, error * std::abs(x) + kFloor) << g;
      ASSERT_PRED3(within, plain.data()[i], reference::silu(g), (error + kUnit * s) * std::abs(g) + kFloor) << g;
      ASSERT_PRED3(within, silu.data()[i], reference::silu(g) * x, (error + 2 * kUnit * s) * std::abs(g * x) + kFloor)
          << g;
    }
  }
}

TEST_P(PanelOpsTest, SoftCapEqualsTheOracleAndStaysInsideTheCap) {
  for (const float cap : {15.0f, 30.0f, 0.5f}) {
    for (const std::int64_t size : kSizes) {
      const Shifted<float> x(gate_values(size), 1);
      Shifted<float> y(x.values(), size % 2);
      kernels::soft_cap_in_place(y.data(), size, cap);
      for (std::int64_t i = 0; i < size; ++i) {
        const double expected = reference::soft_cap<double>(x.data()[i], cap);
        // x / cap, tanh (whose condition is at most 1), times cap; a subnormal quotient has an absolute error.
        ASSERT_PRED3(within, y.data()[i], expected, (kTanhError + 3 * kUnit) * std::abs(expected) + 1e-43)
            << x.data()[i] << " cap " << cap;
        ASSERT_LE(std::abs(y.data()[i]), cap);
      }
    }
  }
}

TEST_P(PanelOpsTest, GatesAndCapsKeepANotANumber) {
  for (const std::int64_t size : {1, 5, 16, 19}) {
    std::vector<float> x(static_cast<std::size_t>(size), 1.0f);
    x.back() = NAN;
    std::vector<float> y(static_cast<std::size_t>(size), 1.0f), sigmoid = y, silu_gate = y, cap = x;
    kernels::sigmoid_gate_in_place(sigmoid.data(), x.data(), size);
    kernels::silu_gate_in_place(silu_gate.data(), x.data(), size);
    kernels::silu(x.data(), size, y.data());
    kernels::soft_cap_in_place(cap.data(), size, 15.0f);
    for (const auto* result : {&sigmoid, &silu_gate, &y, &cap}) {
      EXPECT_TRUE(std::isnan(result->back())) << size;
      for (std::size_t i = 0; i + 1 < result->size(); ++i) EXPECT_FALSE(std::isnan((*result)[i])) << size;
    }
  }
}

TEST_P(PanelOpsTest, LanesComeOutAsTheyWentIn) {
  for (const std::int64_t rows : {0, 1, 5, 33}) {
    std::vector<float> panel(static_cast<std::size_t>(rows * kPanelWidth), -1.0f);
    const std::vector<float> values = Samples(6).floats(rows);
    for (int lane = 0; lane < kPanelWidth; ++lane) {
      kernels::panel_set_lane(panel.data(), rows, lane, values.data());
      std::vector<float> out(static_cast<std::size_t>(rows));
      kernels::panel_get_lane(panel.data(), rows, lane, out.data());
      EXPECT_TRUE(same_bits(out, values));
      const auto set = std::count_if(panel.begin(), panel.end(), [](float v) { return v != -1.0f; });
      EXPECT_EQ(set, (lane + 1) * rows);
    }
  }
}

// Convolution over panels = the step of the oracle token by token, history included, at every cut of the tokens.
TEST_P(PanelOpsTest, CausalConvEqualsTheOracleAtEveryCut) {
  for (const std::int64_t taps : {1, 2, 3, 4, 7}) {
    for (const std::int64_t channels : {0, 1, 5, 16, 21}) {
      for (const std::int64_t valid : {1, 2, 3, 4, 15, 16, 17, 35}) {
        constexpr std::int64_t kCalls = 3;
        const std::int64_t stride = channels + 2;
        Samples samples(static_cast<std::uint64_t>(taps * 100 + channels));
        const std::vector<float> weight = samples.floats(channels * taps), bias = samples.floats(channels);
        std::vector<float> history = samples.floats(taps * stride);
        std::vector<double> old(static_cast<std::size_t>(taps * channels));
        for (std::int64_t j = 0; j < taps; ++j) {
          for (std::int64_t c = 0; c < channels; ++c) {
            old[static_cast<std::size_t>(j * channels + c)] = history[static_cast<std::size_t>(j * stride + c)];
          }
        }
        const std::vector<double> wd = widened(weight), bd = widened(bias);
        for (std::int64_t call = 0; call < kCalls; ++call) {
          const std::vector<float> x = samples.floats(valid * channels);
          const std::int64_t tokens = kernels::num_panels(valid) * kPanelWidth;
          const Shifted<float> panel(to_panels(x, valid, channels), 1);
          std::vector<float> series(static_cast<std::size_t>(kernels::causal_conv_series(taps, valid)));
          Shifted<float> y(std::vector<float>(static_cast<std::size_t>(channels * tokens)), 1);
          kernels::panel_causal_conv(panel.data(), channels * kPanelWidth, channels, taps, weight.data(), bias.data(),
                                     valid, history.data(), stride, y.data(), channels * kPanelWidth, series.data());
          for (std::int64_t t = 0; t < valid; ++t) {
            const std::vector<double> xt = widened(token(x, t, channels));
            std::vector<double> expected(xt.size());
            reference::causal_conv_step(wd.data(), bd.data(), channels, taps, xt.data(), old.data(), expected.data());
            // taps products and sums of taps + 1 terms within 1: (taps + 1)^2 u.
            const std::vector<double> bound(xt.size(), static_cast<double>((taps + 1) * (taps + 1)) * kUnit);
            expect_within(token(from_panels(y.values(), tokens, channels), t, channels), expected, bound, "conv");
            if (HasFatalFailure()) FAIL() << taps << " taps, " << channels << " channels, token " << t;
          }
          for (std::int64_t j = 0; j < taps; ++j) {
            for (std::int64_t c = 0; c < channels; ++c) {
              ASSERT_EQ(history[static_cast<std::size_t>(j * stride + c)],
                        old[static_cast<std::size_t>(j * channels + c)])
                  << taps << " taps, " << valid << " tokens, row " << j;
            }
          }
        }
      }
    }
  }
}

TEST_P(PanelOpsTest, RoundingToBfloat16IsThatOfTheScalarConversion) {
  for (const std::int64_t size : kSizes) {
    Samples samples(static_cast<std::uint64_t>(size));
    std::vector<float> values = samples.floats(size, -1e3f, 1e3f);
    const std::uint32_t hidden_nan = 0x7f800001;  // its upper half alone would be infinity
    const std::vector<float> special = {1.00390625f, 1.01171875f, std::numeric_limits<float>::max(),
                                        -INFINITY,   NAN,         std::bit_cast<float>(hidden_nan),
                                        1e-45f,      -0.0f};
    for (std::size_t i = 0; i < special.size() && i < values.size(); ++i) values[values.size() - 1 - i] = special[i];
    Shifted<float> x(values, size % 2);
    kernels::round_to_bfloat16_in_place(x.data(), size);
    for (float& value : values) value = bfloat16_to_float32(float32_to_bfloat16(value));
    EXPECT_TRUE(same_bits(x.values(), values)) << "size " << size;
  }
}

XLSTM_ON_EVERY_TARGET(PanelOpsTest);

}  // namespace
}  // namespace xlstm::testing
