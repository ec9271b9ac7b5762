#include "xlstm/kernels/cpu/slstm_scan.h"

#include <algorithm>
#include <cmath>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/cpu_target.h"
#include "tests/unit/kernels/panels.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/cpu/vector_ops.h"
#include "xlstm/kernels/reference/slstm_step.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;
using kernels::kPanelWidth;

constexpr std::int64_t kGates = 4;

/// One head: raw [tokens][4 width], state [4][width].
struct Head {
  Head(std::int64_t head_width, std::int64_t num_tokens) : width(head_width), tokens(num_tokens) {
    Samples samples(static_cast<std::uint64_t>(1000 * width + tokens));
    recurrent = samples.floats(kGates * width * width);
    bias = samples.floats(kGates * width);
    raw = samples.floats(tokens * kGates * width, -3, 3);
    state = samples.floats(kGates * width);
    for (std::int64_t u = 0; u < width; ++u) {
      const auto c = static_cast<std::size_t>(width + u), n = c + static_cast<std::size_t>(width);
      state[n] += 2;
      if (u % 3 == 0) state[c] = state[n] = state[n + static_cast<std::size_t>(width)] = 0;  // a fresh unit
    }
  }
  std::int64_t width, tokens;
  std::vector<float> recurrent, bias, raw, state;
};

/// Runs tokens [begin, end) and advances `state`. Returns y [end - begin, width]. Lanes past the last token are NaN
/// before and have to be 0 behind.
std::vector<float> scan(const Head& head, std::int64_t begin, std::int64_t end, bool plain, std::vector<float>& state) {
  const std::int64_t gates = kGates * head.width, tokens = end - begin, panels = kernels::num_panels(tokens);
  std::vector<float> raw(static_cast<std::size_t>(panels * gates * kPanelWidth + 1), NAN);
  std::vector<float> y(static_cast<std::size_t>(panels * head.width * kPanelWidth + 1), NAN);
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t r = 0; r < gates; ++r) {
      raw[static_cast<std::size_t>(panel_index(t, r, gates) + 1)] =
          head.raw[static_cast<std::size_t>((begin + t) * gates + r)];
    }
  }
  kernels::SlstmScan args;
  args.width = head.width;
  args.tokens = tokens;
  args.recurrent = head.recurrent.data();
  args.bias = head.bias.data();
  args.bias_stride = head.width;
  args.raw = raw.data() + 1;  // off alignment
  args.raw_stride = gates * kPanelWidth;
  args.gate_stride = head.width * kPanelWidth;
  args.state = state.data();
  args.state_stride = head.width;
  args.plain_lstm = plain;
  args.y = y.data() + 1;
  args.y_stride = head.width * kPanelWidth;
  std::vector<float> scratch(kernels::slstm_scan_scratch(head.width), NAN);
  kernels::slstm_scan(args, scratch.data());
  std::vector<float> out;
  for (std::int64_t t = 0; t < panels * kPanelWidth; ++t) {
    for (std::int64_t r = 0; r < head.width; ++r) {
      const float value = y[static_cast<std::size_t>(panel_index(t, r, head.width) + 1)];
      if (t < tokens) {
        out.push_back(value);
      } else {
        EXPECT_EQ(value, 0.0f);
      }
    }
  }
  return out;
}

/// The pointwise cell, which has tests of its own, on gates of the oracle; and how far the kernel's gates may be off.
struct Step {
  std::vector<float> state;
  double gate_error = 0;
};
Step expected_step(const Head& head, std::int64_t t, bool plain, const std::vector<float>& old) {
  const auto width = static_cast<std::size_t>(head.width);
  const std::vector<float> raw(head.raw.begin() + t * kGates * head.width,
                               head.raw.begin() + (t + 1) * kGates * head.width);
  const std::vector<double> y = widened({old.begin(), old.begin() + head.width});
  const std::vector<double> exact = reference::slstm_gates(
      head.width, widened(raw).data(), widened(head.recurrent).data(), widened(head.bias).data(), y.data());
  const std::vector<float> gates(exact.begin(), exact.end());
  Step step = {old};
  float* s = step.state.data();
  if (plain) {
    kernels::lstm_pointwise(&gates[0], &gates[width], &gates[2 * width], &gates[3 * width], head.width, s, s + width);
  } else {
    kernels::slstm_pointwise(&gates[0], &gates[width], &gates[2 * width], &gates[3 * width], head.width, s, s + width,
                             s + 2 * width, s + 3 * width);
  }
  // width products and two more terms: |R| <= 1, |raw| <= 3, |bias| <= 1.
  double terms = 4;
  for (const double value : y) terms += std::abs(value);
  step.gate_error = static_cast<double>(head.width + 3) * kUnit * terms;
  return step;
}

class SlstmScanTest : public OnEveryTarget {};

TEST_P(SlstmScanTest, EveryTokenEqualsTheOracleFromTheStateBefore) {
  for (const bool plain : {false, true}) {
    for (const std::int64_t width : {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 31, 48, 64, 100}) {
      const Head head(width, 20);
      std::vector<float> state = head.state;
      for (std::int64_t t = 0; t < head.tokens; ++t) {
        const Step step = expected_step(head, t, plain, state);
        const std::vector<float> y = scan(head, t, t + 1, plain, state);
        // A gate off by e moves m by 2 e, exponents by 3 e; with n >= 1 and |c| <= n no part of the state by more than
        // 16 e of its size and 1. The rest are roundings on either side.
        std::vector<double> bound;
        for (const float value : step.state)
          bound.push_back(16 * (step.gate_error + 4 * kUnit) * (1 + std::abs(value)));
        expect_within(state, widened(step.state), bound, "state");
        EXPECT_TRUE(same_bits(y, {state.begin(), state.begin() + width}));
        if (HasFailure()) FAIL() << "width " << width << " token " << t << " plain " << plain;
      }
    }
  }
}

TEST_P(SlstmScanTest, AnyCutOfTheTokensGivesTheSameBits) {
  for (const bool plain : {false, true}) {
    for (const std::int64_t width : {1, 5, 12, 48}) {
      const Head head(width, 37);
      std::vector<float> whole_state = head.state;
      const std::vector<float> whole = scan(head, 0, head.tokens, plain, whole_state);
      for (const std::int64_t cut : {0, 1, 15, 16, 17, 36, 37}) {
        std::vector<float> state = head.state;
        std::vector<float> y = scan(head, 0, cut, plain, state);
        const std::vector<float> rest = scan(head, cut, head.tokens, plain, state);
        y.insert(y.end(), rest.begin(), rest.end());
        EXPECT_TRUE(same_bits(y, whole)) << width << " cut " << cut;
        EXPECT_TRUE(same_bits(state, whole_state)) << width << " cut " << cut;
      }
    }
  }
}

TEST_P(SlstmScanTest, NotANumberReachesEveryUnitOneTokenLater) {
  Head head(12, 3);
  head.raw[0] = NAN;  // input gate of unit 0, token 0
  std::vector<float> state = head.state;
  const std::vector<float> y = scan(head, 0, head.tokens, false, state);
  for (std::int64_t u = 0; u < head.width; ++u) {
    EXPECT_EQ(std::isnan(y[static_cast<std::size_t>(u)]), u == 0) << u;
    EXPECT_TRUE(std::isnan(y[static_cast<std::size_t>(head.width + u)])) << u;
  }
}

XLSTM_ON_EVERY_TARGET(SlstmScanTest);

}  // namespace
}  // namespace xlstm::testing
