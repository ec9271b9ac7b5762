#include "xlstm/kernels/cpu/mlstm_step.h"

#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/mlstm_sequence.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/mlstm_step.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;

/// One token as the backend puts the pieces together; q carries the scale already.
void cpu_step(const float* q, const float* k, const float* v, float i, float f, std::int64_t qk, std::int64_t width,
              float eps, kernels::MatrixMemory c, float* n, float& m, float* h) {
  const kernels::MlstmGates gates = kernels::mlstm_gates(i, f, m);
  const float qn = kernels::mlstm_step_normalizer(gates, q, k, qk, n);
  const float den = kernels::mlstm_denominator(qn, gates.m, eps);
  kernels::mlstm_step_slice(gates, q, k, v, qk, width, width, c, h);
  for (std::int64_t b = 0; b < width; ++b) h[b] /= den;
  m = gates.m;
}

using Bits = std::vector<std::uint16_t>;

Bits to_bfloat16(const std::vector<float>& values) {
  Bits bits(values.size());
  narrow_from_float32(DType::bfloat16, values.data(), values.size(), bits.data());
  return bits;
}

std::vector<float> from_bfloat16(const Bits& bits) {
  std::vector<float> values(bits.size());
  widen_to_float32(DType::bfloat16, bits.data(), bits.size(), values.data());
  return values;
}

class MlstmStepTest : public OnEveryTarget {};

TEST_P(MlstmStepTest, EqualsTheOracleAtEverySizeAndOffset) {
  for (const std::int64_t qk : kSizes) {
    for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, qk / 2 + 3, std::int64_t{33}}) {
      constexpr std::int64_t kTokens = 3;
      const std::int64_t offset = qk % 2;
      Samples samples(static_cast<std::uint64_t>(qk * 1000 + v));
      const HeadInputs x(kTokens, qk, v, samples);
      HeadState start(qk, v);
      start.c = samples.floats(qk * v);
      start.n = samples.floats(qk);
      start.m = 0.5f;
      const HeadOracle expected = run_oracle({qk, v, 1e-6, 1, 1}, x, start, 4 * kTokens);

      const Shifted<float> q(x.q, offset), k(x.k, offset), value(x.value, offset);
      Shifted<float> c(start.c, offset), n(start.n, offset);
      Shifted<float> h(std::vector<float>(static_cast<std::size_t>(kTokens * v), NAN), offset);
      float m = start.m;
      for (std::int64_t t = 0; t < kTokens; ++t) {
        const auto at = static_cast<std::size_t>(t);
        cpu_step(q.data() + t * qk, k.data() + t * qk, value.data() + t * v, x.i[at], x.f[at], qk, v, 1e-6f, c.data(),
                 n.data(), m, h.data() + t * v);
      }
      expect_within(h.values(), expected.h, expected.h_bound, "h");
      expect_within(c.values(), expected.c, expected.c_bound, "c");
      expect_within(n.values(), expected.n, expected.n_bound, "n");
      expect_within({m}, {expected.m}, {expected.m_bound}, "m");
      if (HasFatalFailure()) FAIL() << "qk " << qk << " v " << v;
    }
  }
}

TEST_P(MlstmStepTest, ABfloat16CIsSteppedInFloat32AndThenRounded) {
  for (const std::int64_t qk : kSizes) {
    for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, qk / 2 + 3, std::int64_t{33}}) {
      const std::int64_t offset = qk % 2;
      Samples samples(static_cast<std::uint64_t>(qk * 1000 + v));
      const std::vector<float> q = samples.floats(qk), k = samples.floats(qk), value = samples.floats(v);
      const kernels::MlstmGates gates = {0.9f, 0.7f, 0.1f};
      std::vector<float> start = samples.floats(qk * v);
      if (start.size() > 20) start[3] = NAN, start[7] = INFINITY, start[20] = 1e-40f;
      const Bits kept = to_bfloat16(start);

      std::vector<float> wide = from_bfloat16(kept), wide_h(static_cast<std::size_t>(v), -1);
      kernels::mlstm_step_slice(gates, q.data(), k.data(), value.data(), qk, v, v, wide.data(), wide_h.data());
      Shifted<std::uint16_t> c(kept, offset);
      Shifted<float> h(std::vector<float>(static_cast<std::size_t>(v), -1), offset);
      kernels::mlstm_step_slice(gates, q.data(), k.data(), value.data(), qk, v, v, {DType::bfloat16, c.data()},
                                h.data());
      ASSERT_EQ(c.values(), to_bfloat16(wide)) << "qk " << qk << " v " << v;
      ASSERT_TRUE(same_bits(h.values(), wide_h)) << "qk " << qk << " v " << v;
    }
  }
}

// A rounding to bfloat16 is off by 2^-8 of the value at most: as much as 2^16 roundings to float32.
TEST_P(MlstmStepTest, ABfloat16CStaysWithinItsRoundingsOfTheOracle) {
  constexpr double kRoundings = 4 + 0x1p16;
  for (const std::int64_t tokens : {1, 2, 12}) {
    for (const std::int64_t qk : {1, 5, 16, 33}) {
      for (const std::int64_t v : {1, 7, 64}) {
        Samples samples(static_cast<std::uint64_t>(qk * 1000 + v));
        const HeadInputs x(tokens, qk, v, samples);
        Bits c = to_bfloat16(samples.floats(qk * v));
        HeadState state(qk, v);
        state.c = from_bfloat16(c);
        const HeadOracle expected = run_oracle({qk, v, 1e-6, 1, 1}, x, state, static_cast<double>(tokens) * kRoundings);
        std::vector<float> h(static_cast<std::size_t>(tokens * v), NAN);
        for (std::int64_t t = 0; t < tokens; ++t) {
          const auto at = static_cast<std::size_t>(t);
          cpu_step(x.q.data() + t * qk, x.k.data() + t * qk, x.value.data() + t * v, x.i[at], x.f[at], qk, v, 1e-6f,
                   {DType::bfloat16, c.data()}, state.n.data(), state.m, h.data() + t * v);
        }
        expect_within(h, expected.h, expected.h_bound, "h");
        expect_within(from_bfloat16(c), expected.c, expected.c_bound, "c");
        if (HasFatalFailure()) FAIL() << tokens << " tokens, qk " << qk << " v " << v;
      }
    }
  }
}

// The backend cuts C into slices of columns for its threads.
TEST_P(MlstmStepTest, AnyCutIntoSlicesGivesTheSameBits) {
  constexpr std::int64_t kWidth = 67;
  for (const std::int64_t qk : {1, 3, 4, 5, 13, 32}) {
    Samples samples(static_cast<std::uint64_t>(qk));
    const std::vector<float> q = samples.floats(qk), k = samples.floats(qk), v = samples.floats(kWidth),
                             start = samples.floats(qk * kWidth);
    const kernels::MlstmGates gates = {0.9f, 0.7f, 0.1f};
    std::vector<float> whole = start, whole_h(kWidth, NAN);
    kernels::mlstm_step_slice(gates, q.data(), k.data(), v.data(), qk, kWidth, kWidth, whole.data(), whole_h.data());
    Bits whole_kept = to_bfloat16(start);
    std::vector<float> kept_h(kWidth, NAN);
    kernels::mlstm_step_slice(gates, q.data(), k.data(), v.data(), qk, kWidth, kWidth,
                              {DType::bfloat16, whole_kept.data()}, kept_h.data());
    for (std::int64_t slice = 1; slice <= kWidth; ++slice) {
      std::vector<float> c = start, h(kWidth, NAN);
      for (std::int64_t b = 0; b < kWidth; b += slice) {
        kernels::mlstm_step_slice(gates, q.data(), k.data(), v.data() + b, qk, std::min(slice, kWidth - b), kWidth,
                                  c.data() + b, h.data() + b);
      }
      ASSERT_TRUE(same_bits(c, whole) && same_bits(h, whole_h)) << "qk " << qk << " slices of " << slice;

      Bits kept = to_bfloat16(start);
      const kernels::MatrixMemory narrow(DType::bfloat16, kept.data());
      for (std::int64_t b = 0; b < kWidth; b += slice) {
        kernels::mlstm_step_slice(gates, q.data(), k.data(), v.data() + b, qk, std::min(slice, kWidth - b), kWidth,
                                  narrow + b, h.data() + b);
      }
      ASSERT_TRUE(kept == whole_kept && same_bits(h, kept_h)) << "qk " << qk << " slices of " << slice;
    }
  }
}

TEST_P(MlstmStepTest, GatesEqualTheOracle) {
  for (const float i : {-100.0f, -15.0f, -1.0f, 0.0f, 2.5f, 15.0f, 100.0f}) {
    for (const float f : {-100.0f, -15.0f, -1e-3f, 0.0f, 4.0f, 15.0f, 100.0f}) {
      for (const float m : {-100.0f, -15.0f, 0.0f, 3.0f, 15.0f, 100.0f}) {
        const kernels::MlstmGates gates = kernels::mlstm_gates(i, f, m);
        const double log_f = reference::log_sigmoid<double>(f);
        const double m_new = reference::stabilizer<double>(log_f + m, i);
        // log f is right to 2 roundings of the C library, its sum with m to one more.
        const double sum = (3 * std::abs(log_f) + std::abs(log_f + m)) * kUnit + 1e-44;  // subnormals
        EXPECT_PRED3(within, gates.m, m_new, sum);
        const double forget = std::exp(log_f + m - m_new), input = std::exp(i - m_new);
        const double exponents = sum + (std::abs(log_f + m - m_new) + std::abs(i - m_new)) * kUnit + kExpError + sum;
        EXPECT_PRED3(within, gates.forget, forget, forget * exponents + 1e-44) << i << " " << f << " " << m;
        EXPECT_PRED3(within, gates.input, input, input * exponents + 1e-44) << i << " " << f << " " << m;
        EXPECT_TRUE(gates.forget <= 1 && gates.input <= 1 && std::max(gates.forget, gates.input) == 1);
      }
    }
  }
}

TEST_P(MlstmStepTest, GatesStayFiniteWhenEverythingIsClosed) {
  const kernels::MlstmGates closed = kernels::mlstm_gates(-INFINITY, -INFINITY, 0);
  EXPECT_EQ(closed.forget, 0.0f);
  EXPECT_EQ(closed.input, 0.0f);
  EXPECT_TRUE(std::isfinite(closed.m));
  const kernels::MlstmGates later = kernels::mlstm_gates(1, 3, closed.m);  // and it opens again
  EXPECT_EQ(later.forget, 0.0f);
  EXPECT_EQ(later.input, 1.0f);
  EXPECT_EQ(later.m, 1.0f);
  const kernels::MlstmGates masked = kernels::mlstm_gates(-INFINITY, INFINITY, 0.25f);  // a padding token
  EXPECT_EQ(masked.forget, 1.0f);
  EXPECT_EQ(masked.input, 0.0f);
  EXPECT_EQ(masked.m, 0.25f);
}

TEST_P(MlstmStepTest, TheOutputIsFiniteAtTheEdgesOfTheGates) {
  const std::vector<float> edges = {-INFINITY, -200.0f, -100.0f, -15.0f, 0.0f, 15.0f, 100.0f};
  constexpr std::int64_t kQk = 5, kV = 7;
  for (const float i : edges) {
    for (const float f : edges) {
      Samples samples(1);
      const HeadInputs x(6, kQk, kV, samples);
      std::vector<float> c(kQk * kV), n(kQk), h(kV);
      float m = 0;
      for (std::int64_t t = 0; t < x.tokens; ++t) {
        cpu_step(x.q.data() + t * kQk, x.k.data() + t * kQk, x.value.data() + t * kV, i, f, kQk, kV, 1e-6f, c.data(),
                 n.data(), m, h.data());
        for (const float value : h) ASSERT_TRUE(std::isfinite(value)) << "i " << i << " f " << f << " t " << t;
        for (const float value : c) ASSERT_TRUE(std::isfinite(value)) << "i " << i << " f " << f << " t " << t;
        ASSERT_TRUE(std::isfinite(m));
      }
    }
  }
}

TEST_P(MlstmStepTest, ANotANumberInAnyInputComesOut) {
  constexpr std::int64_t kQk = 9, kV = 5;
  for (int which = 0; which < 8; ++which) {
    Samples samples(2);
    HeadInputs x(1, kQk, kV, samples);
    HeadState s(kQk, kV);
    float* const inputs[] = {x.q.data(), x.k.data(), x.value.data(), x.i.data(),
                             x.f.data(), s.c.data(), s.n.data(),     &s.m};
    inputs[which][0] = NAN;
    std::vector<float> h(kV);
    cpu_step(x.q.data(), x.k.data(), x.value.data(), x.i[0], x.f[0], kQk, kV, 1e-6f, s.c.data(), s.n.data(), s.m,
             h.data());
    EXPECT_TRUE(std::isnan(h[0])) << which;
    const bool in_one_column = which == 2 || which == 5;
    EXPECT_EQ(std::isnan(h[1]), !in_one_column) << which;
  }
}

XLSTM_ON_EVERY_TARGET(MlstmStepTest);

}  // namespace
}  // namespace xlstm::testing
