#include "xlstm/kernels/cpu/vector_ops.h"

#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/norm_bounds.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/norms.h"
#include "xlstm/kernels/reference/slstm_step.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;

class VectorOpsTest : public OnEveryTarget {};

TEST_P(VectorOpsTest, NormsEqualTheOracleAtEverySizeWithAndWithoutWeights) {
  for (const std::int64_t size : kSizes) {
    for (const bool weighted : {false, true}) {
      const std::int64_t offset = size % 2;
      Samples samples(static_cast<std::uint64_t>(size));
      const Shifted<float> x(samples.floats(size, -2, 3), offset), weight(samples.floats(size), offset),
          bias(samples.floats(size), offset);
      Shifted<float> y(std::vector<float>(static_cast<std::size_t>(size), NAN), offset);
      const float* w = weighted ? weight.data() : nullptr;
      const float* b = weighted ? bias.data() : nullptr;

      kernels::rms_norm(x.data(), size, w, b, 1e-6f, y.data());
      const NormOracle rms = rms_norm_oracle(x.values(), weighted, weight.values(), bias.values(), 1e-6f);
      expect_within(y.values(), rms.values, rms.bound, "rms_norm");

      for (const std::int64_t groups : {1, 3, 4}) {
        if (size % groups != 0) continue;
        kernels::group_norm(x.data(), size, groups, w, b, 1e-5f, y.data());
        const NormOracle group = group_norm_oracle(x.values(), groups, weighted, weight.values(), bias.values(), 1e-5f);
        expect_within(y.values(), group.values, group.bound, "group_norm");
      }
      if (HasFatalFailure()) FAIL() << "size " << size << " weighted " << weighted;
    }
  }
}

TEST_P(VectorOpsTest, NormsMayWriteOverTheirInput) {
  for (const std::int64_t size : {3, 21, 64}) {
    const std::vector<float> x = Samples(9).floats(size);
    std::vector<float> in_place = x, apart(x.size());
    kernels::rms_norm(x.data(), size, nullptr, nullptr, 1e-6f, apart.data());
    kernels::rms_norm(in_place.data(), size, nullptr, nullptr, 1e-6f, in_place.data());
    EXPECT_TRUE(same_bits(in_place, apart)) << size;
    in_place = x;
    kernels::group_norm(x.data(), size, 1, nullptr, nullptr, 1e-6f, apart.data());
    kernels::group_norm(in_place.data(), size, 1, nullptr, nullptr, 1e-6f, in_place.data());
    EXPECT_TRUE(same_bits(in_place, apart)) << size;
  }
}

TEST_P(VectorOpsTest, NormsOfZerosAndConstantsAreFinite) {
  const std::vector<float> zeros(21, 0.0f), threes(21, 3.0f);
  std::vector<float> y(21, NAN);
  kernels::rms_norm(zeros.data(), 21, nullptr, nullptr, 1e-6f, y.data());
  EXPECT_EQ(y, zeros);
  kernels::group_norm(threes.data(), 21, 3, nullptr, nullptr, 1e-5f, y.data());
  EXPECT_EQ(y, zeros);  // 7 threes: sum and mean are exact
}

TEST_P(VectorOpsTest, NormsKeepANotANumberAndItsGroup) {
  for (std::int64_t at = 0; at < 22; ++at) {
    std::vector<float> x = Samples(4).floats(22), y(22);
    x[static_cast<std::size_t>(at)] = NAN;
    kernels::rms_norm(x.data(), 22, nullptr, nullptr, 1e-6f, y.data());
    for (const float value : y) ASSERT_TRUE(std::isnan(value));
    kernels::group_norm(x.data(), 22, 2, nullptr, nullptr, 1e-6f, y.data());
    for (std::int64_t j = 0; j < 22; ++j) {
      ASSERT_EQ(std::isnan(y[static_cast<std::size_t>(j)]), j / 11 == at / 11) << at << " " << j;
    }
  }
}

TEST_P(VectorOpsTest, ScaleMultipliesOnceRounded) {
  for (const std::int64_t size : kSizes) {
    Shifted<float> x(Samples(1).floats(size), size % 2);
    std::vector<float> expected = x.values();
    for (float& value : expected) value *= 0.37f;
    kernels::scale_in_place(x.data(), size, 0.37f);
    EXPECT_TRUE(same_bits(x.values(), expected)) << size;
  }
}

/// Rows of the sLSTM's gates and state for `size` units.
struct Units {
  Units(std::int64_t size, Samples& samples, float spread, std::int64_t offset)
      : i(samples.floats(size, -spread, spread), offset),
        f(samples.floats(size, -spread, spread), offset),
        z(samples.floats(size, -3, 3), offset),
        o(samples.floats(size, -spread, spread), offset),
        y(samples.floats(size), offset),
        c(samples.floats(size), offset),
        n(samples.floats(size, 1, 4), offset),
        m(samples.floats(size, -spread, spread), offset) {
    for (std::int64_t u = 0; u < size; u += 3) n.data()[u] = m.data()[u] = c.data()[u] = 0;  // every third is fresh
  }
  reference::SlstmGates<double> gates(std::int64_t u) const {
    return {i.data()[u], f.data()[u], z.data()[u], o.data()[u]};
  }
  Shifted<float> i, f, z, o, y, c, n, m;
};

TEST_P(VectorOpsTest, SlstmEqualsTheOracleFreshAndOldUnitsMixed) {
  for (const float spread : {1.0f, 15.0f, 100.0f}) {
    for (const std::int64_t size : kSizes) {
      Samples samples(static_cast<std::uint64_t>(size));
      Units s(size, samples, spread, size % 2);
      std::vector<double> y(static_cast<std::size_t>(size)), c(y), n(y), m(y), dy(y), dc(y), dn(y), dm(y);
      for (std::int64_t u = 0; u < size; ++u) {
        const auto k = static_cast<std::size_t>(u);
        const reference::SlstmGates<double> g = s.gates(u);
        const double c_old = c[k] = s.c.data()[u], n_old = n[k] = s.n.data()[u], m_old = m[k] = s.m.data()[u];
        reference::slstm_unit(g, y[k], c[k], n[k], m[k]);
        // Exponents are differences of m, i and log f: absolute error `arg`, so relative error of the gates arg +
        // exp's.
        const double sum = std::abs(m_old) + 2 * std::abs(std::min(g.f, 0.0)) + std::abs(g.i) + 1;
        const double arg = 3 * kUnit * sum + kLog1pError + kExpError;
        const double gate = arg + kExpError + 3 * kUnit;
        const double ig = std::min(1.0, std::exp(g.i - m[k])), kept = n[k] - ig;
        dm[k] = arg;
        dn[k] = gate * n[k];
        const double c_size = std::abs(n_old > 0 ? kept / n_old * c_old : 0) + std::abs(ig * std::tanh(g.z));
        dc[k] = (gate + kTanhError) * c_size;
        const double out = reference::sigmoid(g.o);
        // sigma: exp and two roundings, and 1 / (1 + e^87) where it stops falling.
        dy[k] = out * dc[k] / n[k] + std::abs(y[k]) * (gate + kExpError + 5 * kUnit) + 2e-38 * std::abs(c[k] / n[k]);
      }
      kernels::slstm_pointwise(s.i.data(), s.f.data(), s.z.data(), s.o.data(), size, s.y.data(), s.c.data(), s.n.data(),
                               s.m.data());
      expect_within(s.m.values(), m, dm, "m");
      expect_within(s.n.values(), n, dn, "n");
      expect_within(s.c.values(), c, dc, "c");
      expect_within(s.y.values(), y, dy, "y");
      if (HasFatalFailure()) FAIL() << "size " << size << " gates within " << spread;
    }
  }
}

TEST_P(VectorOpsTest, LstmEqualsTheOracle) {
  for (const float spread : {1.0f, 100.0f}) {
    for (const std::int64_t size : kSizes) {
      Samples samples(static_cast<std::uint64_t>(size));
      Units s(size, samples, spread, size % 2);
      std::vector<double> y(static_cast<std::size_t>(size)), c(y), dy(y), dc(y);
      for (std::int64_t u = 0; u < size; ++u) {
        const auto k = static_cast<std::size_t>(u);
        const double c_old = c[k] = s.c.data()[u];
        const reference::SlstmGates<double> g = s.gates(u);
        reference::lstm_unit(g, y[k], c[k]);
        const double sigma = kExpError + 3 * kUnit;  // and 1 / (1 + e^87) = 1.7e-38 where it stops falling
        const double size_c = std::abs(reference::sigmoid(g.f) * c_old) + std::abs(reference::sigmoid(g.i));
        dc[k] = (sigma + kTanhError + 3 * kUnit) * size_c + 5e-38;
        dy[k] = dc[k] + std::abs(y[k]) * (sigma + kTanhError + kUnit) + 5e-38;
      }
      kernels::lstm_pointwise(s.i.data(), s.f.data(), s.z.data(), s.o.data(), size, s.y.data(), s.c.data());
      expect_within(s.c.values(), c, dc, "c");
      expect_within(s.y.values(), y, dy, "y");
      if (HasFatalFailure()) FAIL() << "size " << size << " gates within " << spread;
    }
  }
}

TEST_P(VectorOpsTest, SlstmStaysFiniteAtTheEdgesOfItsGates) {
  const std::vector<float> edges = {-INFINITY, -3e38f, -1e30f, -100.0f, -15.0f, 0.0f, 15.0f, 100.0f, 1e30f};
  for (const float i : edges) {
    for (const float f : edges) {
      float y = 0, c = 0, n = 0, m = 0;
      for (int t = 0; t < 4; ++t) {
        const float z = 1, o = 1;
        kernels::slstm_pointwise(&i, &f, &z, &o, 1, &y, &c, &n, &m);
        ASSERT_TRUE(std::isfinite(y) && std::isfinite(c) && std::isfinite(n) && !std::isnan(m))
            << "i " << i << " f " << f << " t " << t << ": y " << y << " c " << c << " n " << n << " m " << m;
      }
      // The same z at every step: c / n is tanh(z) whatever the gates did.
      ASSERT_NEAR(y, reference::sigmoid(1.0) * std::tanh(1.0), 1e-6) << "i " << i << " f " << f;
    }
  }
}

TEST_P(VectorOpsTest, AFreshUnitForgetsWhateverItsForgetGateSays) {
  for (const float f : {-INFINITY, -100.0f, 0.0f, 100.0f}) {
    const float i = -0.5f, z = 0.5f, o = 0.25f;
    float y = 0, c = 0, n = 0, m = 0;
    kernels::slstm_pointwise(&i, &f, &z, &o, 1, &y, &c, &n, &m);
    EXPECT_EQ(n, 1.0f);
    EXPECT_EQ(m, i);
    EXPECT_NEAR(c, std::tanh(0.5), 8 * kUnit);
  }
}

TEST_P(VectorOpsTest, CellsKeepANotANumberInAnyGate) {
  for (int gate = 0; gate < 4; ++gate) {
    for (std::int64_t size : {1, 9, 16}) {
      for (const bool fresh : {false, true}) {
        Samples samples(8);
        Units s(size, samples, 2, 0);
        if (!fresh) std::fill_n(s.n.data(), size, 2.0f);
        Units l = Units(size, samples, 2, 0);
        for (Units* units : {&s, &l}) {
          float* const rows[] = {units->i.data(), units->f.data(), units->z.data(), units->o.data()};
          rows[gate][size - 1] = NAN;
        }
        if (fresh && gate != 1) std::fill_n(s.n.data(), size, 0.0f);
        kernels::slstm_pointwise(s.i.data(), s.f.data(), s.z.data(), s.o.data(), size, s.y.data(), s.c.data(),
                                 s.n.data(), s.m.data());
        kernels::lstm_pointwise(l.i.data(), l.f.data(), l.z.data(), l.o.data(), size, l.y.data(), l.c.data());
        ASSERT_TRUE(std::isnan(s.y.data()[size - 1])) << "sLSTM gate " << gate << " size " << size << fresh;
        ASSERT_TRUE(std::isnan(l.y.data()[size - 1])) << "LSTM gate " << gate << " size " << size;
        for (std::int64_t u = 0; u + 1 < size; ++u)
          ASSERT_FALSE(std::isnan(s.y.data()[u]) || std::isnan(l.y.data()[u]));
      }
    }
  }
}

XLSTM_ON_EVERY_TARGET(VectorOpsTest);

}  // namespace
}  // namespace xlstm::testing
