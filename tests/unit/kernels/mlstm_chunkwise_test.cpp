#include "xlstm/kernels/cpu/mlstm_chunkwise.h"

#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/mlstm_sequence.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/mlstm_chunkwise.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;
using kernels::kPanelWidth;

struct Scales {
  float q = 1, k = 1;
};

/// Runs the kernel over x from `state`, which is advanced. Returns h [tokens, v]. The lanes past the last token and the
/// rows round the head hold `around`: whatever is there may not matter.
std::vector<float> cpu_chunkwise(const HeadInputs& x, HeadState& state, std::int64_t chunk_size, Scales scales = {},
                                 float around = 0) {
  const std::int64_t panels = kernels::num_panels(x.tokens), rows = 2 * x.qk + 2 * x.v + 2 + 1;
  std::vector<float> memory(static_cast<std::size_t>(panels * rows * kPanelWidth + 1), around);
  float* const base = memory.data() + 1;  // off alignment
  const auto put = [&](const std::vector<float>& from, std::int64_t width, std::int64_t row) {
    for (std::int64_t t = 0; t < x.tokens; ++t) {
      for (std::int64_t r = 0; r < width; ++r) {
        base[panel_index(t, row + r, rows)] = from[static_cast<std::size_t>(t * width + r)];
      }
    }
    return base + row * kPanelWidth;
  };
  kernels::MlstmChunkwise args;
  args.qk = x.qk;
  args.v = x.v;
  args.tokens = x.tokens;
  args.chunk_size = chunk_size;
  args.q = put(x.q, x.qk, 0);
  args.k = put(x.k, x.qk, x.qk);
  args.value = put(x.value, x.v, 2 * x.qk);
  args.i_raw = put(x.i, 1, 2 * x.qk + x.v);
  args.f_raw = put(x.f, 1, 2 * x.qk + x.v + 1);
  args.h = base + (2 * x.qk + x.v + 2) * kPanelWidth;
  args.q_stride = args.k_stride = args.value_stride = args.gate_stride = args.h_stride = rows * kPanelWidth;
  args.q_scale = scales.q;
  args.k_scale = scales.k;
  args.eps = 1e-6f;
  args.c = state.c.data();
  args.n = state.n.data();
  args.m = &state.m;
  std::vector<float> scratch(kernels::mlstm_chunkwise_scratch(x.qk, x.v), NAN);
  kernels::mlstm_chunkwise(args, scratch.data());
  std::vector<float> h(static_cast<std::size_t>(x.tokens * x.v));
  for (std::int64_t t = 0; t < x.tokens; ++t) {
    for (std::int64_t r = 0; r < x.v; ++r) {
      h[static_cast<std::size_t>(t * x.v + r)] = base[panel_index(t, 2 * x.qk + x.v + 2 + r, rows)];
    }
  }
  return h;
}

void expect_equal(const std::vector<float>& h, const HeadState& state, const HeadOracle& expected) {
  expect_within(h, expected.h, expected.h_bound, "h");
  expect_within(state.c, expected.c, expected.c_bound, "c");
  expect_within(state.n, expected.n, expected.n_bound, "n");
  expect_within({state.m}, {expected.m}, {expected.m_bound}, "m");
}

class MlstmChunkwiseTest : public OnEveryTarget {};

TEST_P(MlstmChunkwiseTest, EqualsTheStepOracleForEveryNumberOfTokensAndChunkSize) {
  for (const std::int64_t tokens : {1, 2, 15, 16, 17, 31, 33, 63, 64, 65, 128, 150}) {
    for (const std::int64_t chunk : {1, 2, 7, 16, 20, 48, 63, 64, 1000}) {
      Samples samples(static_cast<std::uint64_t>(tokens));
      const HeadInputs x(tokens, 5, 7, samples);
      HeadState state(5, 7);
      state.c = samples.floats(35);
      state.n = samples.floats(5);
      state.m = -0.75f;
      const HeadOracle expected = run_oracle(reference::scaled_queries(5, 7, 1e-6), x, state, 2.0 * tokens + 64);
      const std::vector<float> h = cpu_chunkwise(x, state, chunk, {1 / std::sqrt(5.0f), 1});
      expect_equal(h, state, expected);
      if (HasFatalFailure()) FAIL() << tokens << " tokens in chunks of " << chunk;
    }
  }
}

TEST_P(MlstmChunkwiseTest, EqualsTheStepOracleForEveryHeadWidth) {
  for (const std::int64_t qk : {1, 2, 4, 5, 15, 16, 17, 33, 64}) {
    for (const std::int64_t v : {1, 3, 8, 15, 16, 17, 31, 32, 33, 70}) {
      Samples samples(static_cast<std::uint64_t>(qk * 100 + v));
      const HeadInputs x(37, qk, v, samples);
      HeadState state(qk, v);
      const HeadOracle expected = run_oracle({qk, v, 1e-6, 1, 0.5}, x, state, 2 * 37 + 64);
      const std::vector<float> h = cpu_chunkwise(x, state, 16, {1, 0.5f});
      expect_equal(h, state, expected);
      if (HasFatalFailure()) FAIL() << "qk " << qk << " v " << v;
    }
  }
}

TEST_P(MlstmChunkwiseTest, NoTokensChangeNothing) {
  Samples samples(1);
  HeadState state(5, 7), before = state;
  EXPECT_TRUE(cpu_chunkwise(HeadInputs(0, 5, 7, samples), state, 16).empty());
  EXPECT_EQ(state.c, before.c);
  EXPECT_EQ(state.n, before.n);
  EXPECT_EQ(state.m, before.m);
}

TEST_P(MlstmChunkwiseTest, WhatLiesPastTheLastTokenChangesNoBit) {
  for (const std::int64_t tokens : {1, 5, 17, 70}) {
    for (const std::int64_t chunk : {7, 64}) {
      Samples samples(9);
      const HeadInputs x(tokens, 5, 7, samples);
      HeadState clean(5, 7), dirty(5, 7);
      const std::vector<float> h = cpu_chunkwise(x, clean, chunk);
      for (const float around : {NAN, INFINITY, 1e38f}) {
        HeadState state(5, 7);
        EXPECT_TRUE(same_bits(cpu_chunkwise(x, state, chunk, {}, around), h)) << tokens << " " << around;
        EXPECT_TRUE(same_bits(state.c, clean.c) && same_bits(state.n, clean.n) && state.m == clean.m);
      }
    }
  }
}

TEST_P(MlstmChunkwiseTest, ACutAtAMultipleOfTheChunkSizeChangesNoBit) {
  Samples samples(11);
  const HeadInputs x(48, 5, 7, samples);
  HeadState whole(5, 7), cut(5, 7);
  const std::vector<float> h = cpu_chunkwise(x, whole, 16);
  std::vector<float> pieces;
  for (std::int64_t t = 0; t < 48; t += 16) {
    HeadInputs part = x;
    part.tokens = 16;
    part.q = {x.q.begin() + t * 5, x.q.begin() + (t + 16) * 5};
    part.k = {x.k.begin() + t * 5, x.k.begin() + (t + 16) * 5};
    part.value = {x.value.begin() + t * 7, x.value.begin() + (t + 16) * 7};
    part.i = {x.i.begin() + t, x.i.begin() + t + 16};
    part.f = {x.f.begin() + t, x.f.begin() + t + 16};
    const std::vector<float> piece = cpu_chunkwise(part, cut, 16);
    pieces.insert(pieces.end(), piece.begin(), piece.end());
  }
  EXPECT_TRUE(same_bits(pieces, h));
  EXPECT_TRUE(same_bits(cut.c, whole.c) && same_bits(cut.n, whole.n) && cut.m == whole.m);
}

/// Gates that a trained network never has but a damaged or an uncapped one may.
struct EdgeGates {
  const char* name;
  float i, f;
};
constexpr EdgeGates kEdges[] = {{"both at the cap", 15, 15},
                                {"input open, forget closed", 15, -15},
                                {"input closed, forget open", -15, 15},
                                {"both at minus the cap", -15, -15},
                                {"open beyond any cap", 100, 100},
                                {"forgets all", 100, -100},
                                {"takes nothing", -100, 100},
                                {"closed", -100, -100},
                                {"so closed that exp(-m) overflows at once", -200, -200},
                                {"input shut", -INFINITY, 3},
                                {"forget shut", 1, -INFINITY},
                                {"shut", -INFINITY, -INFINITY},
                                {"padding", -INFINITY, INFINITY}};

TEST_P(MlstmChunkwiseTest, EqualsTheStepOracleAtTheEdgesOfTheGates) {
  for (const EdgeGates& edge : kEdges) {
    for (const std::int64_t every : {1, 3}) {  // every token, or every third between ordinary ones
      for (const std::int64_t chunk : {7, 64}) {
        Samples samples(13);
        HeadInputs x(70, 5, 7, samples);
        for (std::size_t t = 0; t < 70; t += static_cast<std::size_t>(every)) x.i[t] = edge.i, x.f[t] = edge.f;
        HeadState state(5, 7);
        state.c = samples.floats(35);
        state.n = samples.floats(5);
        // The oracle in double keeps e^-m where float32 overflows to infinity; both give h = 0 to 1e-37.
        const HeadOracle expected = run_oracle({5, 7, 1e-6, 1, 1}, x, state, 2 * 70 + 64);
        const std::vector<float> h = cpu_chunkwise(x, state, chunk);
        expect_within(h, expected.h, expected.h_bound, edge.name);
        expect_within(state.c, expected.c, expected.c_bound, edge.name);
        expect_within(state.n, expected.n, expected.n_bound, edge.name);
        EXPECT_TRUE(std::isfinite(state.m)) << edge.name;
        if (expected.m > -1e30) expect_within({state.m}, {expected.m}, {expected.m_bound}, edge.name);
        if (HasFatalFailure()) FAIL() << edge.name << ", every " << every << ", chunks of " << chunk;
      }
    }
  }
}

TEST_P(MlstmChunkwiseTest, SixteenThousandTokensDriftNoFurtherThanRandomRoundingsDo) {
  constexpr std::int64_t kTokens = 16384, kQk = 4, kV = 3;
  for (const float forget : {-15.0f, 0.0f, 5.0f, 15.0f}) {
    for (const float input : {-15.0f, 0.0f, 15.0f}) {
      Samples samples(17);
      HeadInputs x(kTokens, kQk, kV, samples);
      for (float& f : x.f) f = forget;
      for (float& i : x.i) i = input;
      HeadState state(kQk, kV);
      // A term of the state meets 2 roundings a chunk; errors of n independent roundings grow as sqrt(n): with
      // lambda = 8, 8 sqrt(2 * 16384 / 64) = 181, and 64 inside its own chunk.
      const HeadOracle expected = run_oracle({kQk, kV, 1e-6, 0.5, 1}, x, state, 181 + 64);
      const std::vector<float> h = cpu_chunkwise(x, state, 64, {0.5f, 1});
      expect_within(h, expected.h, expected.h_bound, "h");
      expect_within(state.c, expected.c, expected.c_bound, "c");
      expect_within(state.n, expected.n, expected.n_bound, "n");
      // m sums 16384 logarithms: sequential within a chunk, 256 chunks.
      expect_within({state.m}, {expected.m}, {(64 + 256) * kUnit * (1 + std::abs(expected.m))}, "m");
      if (HasFatalFailure()) FAIL() << "forget " << forget << " input " << input;
    }
  }
}

TEST_P(MlstmChunkwiseTest, ANotANumberInAnyInputComesOutFromThatTokenOnAndStaysInTheState) {
  constexpr std::int64_t kQk = 5, kV = 7, kTokens = 37;
  for (const std::int64_t chunk : {7, 16, 64}) {
    for (const std::int64_t at : {0, 3, 16, 20, 36}) {
      for (int which = 0; which < 5; ++which) {
        Samples samples(19);
        HeadInputs x(kTokens, kQk, kV, samples);
        float* const inputs[] = {x.q.data() + at * kQk, x.k.data() + at * kQk, x.value.data() + at * kV,
                                 x.i.data() + at, x.f.data() + at};
        *inputs[which] = NAN;
        HeadState state(kQk, kV);
        const std::vector<float> h = cpu_chunkwise(x, state, chunk);
        for (std::int64_t t = 0; t < kTokens; ++t) {
          // Earlier tokens of the same chunk meet it times a weight of 0, which is NaN as well; earlier chunks do not.
          if (t < at && t / chunk == at / chunk) continue;
          const bool lost = which == 0 ? t == at : t >= at;  // q is of its own token alone
          ASSERT_EQ(std::isnan(h[static_cast<std::size_t>(t * kV)]), lost)
              << "input " << which << " of token " << at << " seen at " << t << ", chunks of " << chunk;
        }
        EXPECT_EQ(std::isnan(state.c[0]), which != 0) << which;
        EXPECT_EQ(std::isnan(state.n[0]), which == 1 || which >= 3) << which;
      }
    }
  }
}

XLSTM_ON_EVERY_TARGET(MlstmChunkwiseTest);

}  // namespace
}  // namespace xlstm::testing
