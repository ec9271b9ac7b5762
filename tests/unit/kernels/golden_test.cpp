// The golden vectors G1-G4 (worked out in double precision by hand-written Python): the oracle meets them to the digits
// they are printed with, every CPU kernel to float32.
#include <algorithm>
#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/panels.h"
#include "xlstm/kernels/cpu/mlstm_chunkwise.h"
#include "xlstm/kernels/cpu/mlstm_step.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/vector_ops.h"
#include "xlstm/kernels/reference/activations.h"
#include "xlstm/kernels/reference/mlstm_chunkwise.h"
#include "xlstm/kernels/reference/mlstm_step.h"
#include "xlstm/kernels/reference/norms.h"
#include "xlstm/kernels/reference/slstm_step.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;

// Nine printed digits after the point; float32 adds a few roundings of values up to 3.
constexpr double kPrinted = 0.6e-9, kFloat = 40 * kUnit;

template <class T>
void expect_near_all(const std::vector<T>& actual, const std::vector<double>& expected, double bound,
                     std::string_view what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_PRED3(within, static_cast<double>(actual[i]), expected[i], bound) << what << " " << i;
  }
}

// G1 and G2: dqk 2, dv 3, four tokens.
const std::vector<double> kQ = {1, -0.5, 0.25, 2, -1.5, 0.75, 0.5, 0.5}, kK = {0.5, 1, -1, 0.5, 2, -0.25, 1, 1},
                          kV = {1, 2, -1, 0.5, -0.5, 3, -2, 1, 0.25, 0.1, 0.2, 0.3}, kI = {-1, 2, -10, 0.5},
                          kF = {3, -1, 6, 0};
const std::vector<double> kH = {0,
                                0,
                                0,
                                0.518274615,
                                -0.408621476,
                                2.853790365,
                                0.500025801,
                                -0.500015330,
                                3.000026533,
                                -0.183020968,
                                0.611262047,
                                -1.630888636},
                          kM = {-0.048587352, 2.000000000, 1.997524315, 1.304377134},
                          kDen = {1.049788068, 0.550450632, 1.325812332, 0.271342492},
                          kC = {-0.448593086, 0.602875422, -2.872481876, 0.308129534, -0.133748632, 1.620819757},
                          kN = {-0.545926290, 0.960754754};
// G2: the second input gate is 15; h_2 with eps 1e-6 and with none.
const std::vector<double> kH2 = {0.499999100, -0.499998843, 2.999994000},
                          kH2WithoutEps = {0.500000043, -0.499999786, 2.999999657};

std::vector<float> narrowed(const std::vector<double>& x) { return {x.begin(), x.end()}; }

struct Cell {
  std::vector<double> c = std::vector<double>(6), n = std::vector<double>(2), h = std::vector<double>(12);
  double m = 0;
};

TEST(GoldenTest, G1TheOraclesStep) {
  Cell s;
  for (std::size_t t = 0; t < 4; ++t) {
    const double den = reference::mlstm_step(reference::scaled_queries(2, 3, 1e-6), &kQ[2 * t], &kK[2 * t], &kV[3 * t],
                                             kI[t], kF[t], s.c.data(), s.n.data(), s.m, &s.h[3 * t]);
    EXPECT_PRED3(within, den, kDen[t], kPrinted) << t;
    EXPECT_PRED3(within, s.m, kM[t], kPrinted) << t;
  }
  expect_near_all(s.h, kH, kPrinted, "h");
  expect_near_all(s.c, kC, kPrinted, "C");
  expect_near_all(s.n, kN, kPrinted, "n");
}

TEST(GoldenTest, G1TheOraclesChunksOf1And2And4GiveWhatItsStepGives) {
  const auto dims = reference::scaled_queries(2, 3, 1e-6);
  Cell step;
  for (std::size_t t = 0; t < 4; ++t) {
    reference::mlstm_step(dims, &kQ[2 * t], &kK[2 * t], &kV[3 * t], kI[t], kF[t], step.c.data(), step.n.data(), step.m,
                          &step.h[3 * t]);
  }
  for (const std::int64_t chunk : {1, 2, 3, 4, 9}) {
    Cell s;
    reference::mlstm_chunkwise(dims, 4, chunk, kQ.data(), kK.data(), kV.data(), kI.data(), kF.data(), s.c.data(),
                               s.n.data(), s.m, s.h.data());
    expect_near_all(s.h, step.h, 1e-15 * 4, "h");
    expect_near_all(s.c, step.c, 1e-15 * 4, "C");
    expect_near_all(s.n, step.n, 1e-15 * 4, "n");
    EXPECT_PRED3(within, s.m, step.m, 1e-15 * 4);
    expect_near_all(s.h, kH, kPrinted, "printed h");
  }
}

TEST(GoldenTest, G1ScaledKeysKeepAStateThatIsSmallerByTheScaleAndTheSameOutput) {
  Cell s;
  for (std::size_t t = 0; t < 4; ++t) {
    reference::mlstm_step(reference::scaled_keys(2, 3, 1e-6), &kQ[2 * t], &kK[2 * t], &kV[3 * t], kI[t], kF[t],
                          s.c.data(), s.n.data(), s.m, &s.h[3 * t]);
  }
  expect_near_all(s.h, kH, kPrinted, "h");
  for (double& value : s.c) value *= std::sqrt(2.0);
  expect_near_all(s.c, kC, kPrinted, "C");
}

TEST(GoldenTest, G2EpsIsAddedAfterTheMaximumInTheStabilizedDomain) {
  for (const double eps : {1e-6, 0.0}) {
    Cell s;
    const auto dims = reference::scaled_queries(2, 3, eps);
    for (std::size_t t = 0; t < 2; ++t) {
      reference::mlstm_step(dims, &kQ[2 * t], &kK[2 * t], &kV[3 * t], t == 1 ? 15.0 : kI[t], kF[t], s.c.data(),
                            s.n.data(), s.m, &s.h[3 * t]);
    }
    s.h = {s.h.begin() + 3, s.h.begin() + 6};
    expect_near_all(s.h, eps > 0 ? kH2 : kH2WithoutEps, kPrinted, "h_2");
  }
}

// G3: one head of two units, gates i, f, z, o. The table prints in -> out pairs, R is [gate][out][in].
const std::vector<double> kRecurrent = {0.1, -0.3, -0.2, 0.4,  0.3, 0.1,  0,   0.2,
                                        0.5, 0,    -0.5, 0.25, 0.2, -0.1, 0.1, 0.6};
const std::vector<double> kBias = {0, 0.1, 1, 2, 0, 0, 0.2, -0.2};
const std::vector<double> kRaw[2] = {{0.5, -1, 0, 0.5, 1, -2, 0.3, 0.7}, {-0.5, 2, 1, -1, 0.25, 0.75, 0, -1}};
const std::vector<double> kSlstm[2] = {
    {0.474061389, -0.600067963, 0.761594156, -0.964027580, 1, 1, 0.5, -0.9},
    {0.385418689, 0.051693304, 0.996284493, 0.300394931, 1.519391241, 1.049186277, 0.382524372, 1.765160537}};

TEST(GoldenTest, G3TheOraclesSlstm) {
  std::vector<double> state(8);  // y, c, n, m
  for (int t = 0; t < 2; ++t) {
    reference::slstm_step(2, kRaw[t].data(), kRecurrent.data(), kBias.data(), &state[0], &state[2], &state[4],
                          &state[6]);
    expect_near_all(state, kSlstm[t], kPrinted, "y, c, n, m");
  }
}

const std::vector<double> kX = {1, -2, 3, 0.5}, kRms = {0.529812868, -1.059625737, 1.589438605, 0.264906434},
                          kLayer = {0.999999778, -0.999999778, 0.999999680, -0.999999680};
struct Capped {
  double x, cap, expected;
};
constexpr Capped kCapped[] = {
    {5, 15, 4.822691063}, {20, 15, 13.050924926}, {-40, 15, -14.855857413}, {100, 30, 29.923739024}};

TEST(GoldenTest, G4TheOraclesNormsAndCaps) {
  std::vector<double> y(4);
  reference::rms_norm<double>(kX.data(), 4, nullptr, nullptr, 1e-6, y.data());
  expect_near_all(y, kRms, kPrinted, "rms");
  reference::group_norm<double>(kX.data(), 4, 2, nullptr, nullptr, 1e-6, y.data());
  expect_near_all(y, kLayer, kPrinted, "layer");
  for (const Capped& g : kCapped) EXPECT_PRED3(within, reference::soft_cap(g.x, g.cap), g.expected, kPrinted);
}

TEST(GoldenTest, TheOraclesActivations) {
  const std::vector<double> x{-20, -1, -0.5, 0, 0.5, 2};
  const std::vector<double> selu{-1.758099337, -1.111330738, -0.691758188, 0, 0.525350494, 2.101401975};
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_PRED3(within, reference::selu(x[i]), selu[i], kPrinted) << x[i];
    EXPECT_EQ(reference::relu(x[i]), std::max(x[i], 0.0)) << x[i];
  }
  EXPECT_TRUE(std::isnan(reference::relu(NAN)) && std::isnan(reference::selu(NAN)));
}

class GoldenCpuTest : public OnEveryTarget {};

TEST_P(GoldenCpuTest, G1AndG2StepByStep) {
  for (const bool second : {false, true}) {
    std::vector<float> q = narrowed(kQ), k = narrowed(kK), v = narrowed(kV), c(6), n(2), h(3);
    kernels::scale_in_place(q.data(), 8, 1 / std::sqrt(2.0f));
    float m = 0;
    for (std::size_t t = 0; t < (second ? 2u : 4u); ++t) {
      const float i = second && t == 1 ? 15.0f : static_cast<float>(kI[t]);
      const kernels::MlstmGates gates = kernels::mlstm_gates(i, static_cast<float>(kF[t]), m);
      const float qn = kernels::mlstm_step_normalizer(gates, &q[2 * t], &k[2 * t], 2, n.data());
      const float den = kernels::mlstm_denominator(qn, gates.m, 1e-6f);
      kernels::mlstm_step_slice(gates, &q[2 * t], &k[2 * t], &v[3 * t], 2, 3, 3, c.data(), h.data());
      m = gates.m;
      for (float& value : h) value /= den;
      if (second) continue;
      EXPECT_PRED3(within, den, kDen[t], kFloat) << t;
      EXPECT_PRED3(within, m, kM[t], kFloat) << t;
      expect_near_all(h, {kH.begin() + 3 * t, kH.begin() + 3 * t + 3}, kFloat, "h");
    }
    if (second) {
      expect_near_all(h, kH2, 8 * kUnit * 3, "h_2");  // closer than the effect of eps, 6e-6 at the third value
    } else {
      expect_near_all(c, kC, kFloat, "C");
      expect_near_all(n, kN, kFloat, "n");
    }
  }
}

TEST_P(GoldenCpuTest, G1InChunksOf1And2And4) {
  const auto panel = [](const std::vector<double>& x, std::int64_t width) { return to_panels(narrowed(x), 4, width); };
  const std::vector<float> q = panel(kQ, 2), k = panel(kK, 2), v = panel(kV, 3), i = panel(kI, 1), f = panel(kF, 1);
  for (const std::int64_t chunk : {1, 2, 4}) {
    std::vector<float> c(6), n(2), h(3 * kernels::kPanelWidth), scratch(kernels::mlstm_chunkwise_scratch(2, 3), NAN);
    float m = 0;
    kernels::mlstm_chunkwise({2,        3,        4,        chunk,    q.data(), k.data(), v.data(),
                              i.data(), f.data(), 0,        0,        0,        0,        1 / std::sqrt(2.0f),
                              1,        1e-6f,    c.data(), n.data(), &m,       h.data(), 0},
                             scratch.data());
    expect_near_all(from_panels(h, 4, 3), kH, kFloat, "h");
    expect_near_all(c, kC, kFloat, "C");
    expect_near_all(n, kN, kFloat, "n");
    EXPECT_PRED3(within, m, kM[3], kFloat);
  }
}

TEST_P(GoldenCpuTest, G3Slstm) {
  std::vector<float> state(8);
  for (int t = 0; t < 2; ++t) {
    const std::vector<double> y(state.begin(), state.begin() + 2);
    const std::vector<float> g =
        narrowed(reference::slstm_gates(2, kRaw[t].data(), kRecurrent.data(), kBias.data(), y.data()));
    kernels::slstm_pointwise(&g[0], &g[2], &g[4], &g[6], 2, &state[0], &state[2], &state[4], &state[6]);
    expect_near_all(state, kSlstm[t], kFloat, "y, c, n, m");
  }
}

TEST_P(GoldenCpuTest, G4NormsAndCapsOnVectorsAndPanels) {
  const std::vector<float> x = narrowed(kX), panel = to_panels(x, 1, 4);
  std::vector<float> y(4), p(panel.size());
  kernels::rms_norm(x.data(), 4, nullptr, nullptr, 1e-6f, y.data());
  expect_near_all(y, kRms, kFloat, "rms");
  kernels::panel_rms_norm(panel.data(), 4, nullptr, nullptr, 1e-6f, p.data());
  expect_near_all(from_panels(p, 1, 4), kRms, kFloat, "panel rms");
  kernels::group_norm(x.data(), 4, 2, nullptr, nullptr, 1e-6f, y.data());
  expect_near_all(y, kLayer, kFloat, "layer");
  kernels::panel_group_norm(panel.data(), 4, 2, nullptr, nullptr, 1e-6f, p.data());
  expect_near_all(from_panels(p, 1, 4), kLayer, kFloat, "panel layer");
  for (const Capped& g : kCapped) {
    auto value = static_cast<float>(g.x);
    kernels::soft_cap_in_place(&value, 1, static_cast<float>(g.cap));
    EXPECT_PRED3(within, value, g.expected, 12 * kUnit * std::abs(g.expected));
  }
}

XLSTM_ON_EVERY_TARGET(GoldenCpuTest);

}  // namespace
}  // namespace xlstm::testing
