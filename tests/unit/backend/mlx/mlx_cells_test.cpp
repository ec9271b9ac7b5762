// The cells and layers against golden vectors in double precision, and the chunkwise form against the recurrent one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "xlstm/backend/mlx/layers.h"
#include "xlstm/backend/mlx/mlstm_cell.h"
#include "xlstm/backend/mlx/slstm_cell.h"
#include "xlstm/base/random.h"
#include "xlstm/kernels/reference/activations.h"

namespace xlstm::backend::mlx {
namespace {

using Values = std::vector<float>;

Values values_of(const mx::array& lazy) {
  mx::array array = mx::contiguous(lazy);
  array.eval();
  return {array.data<float>(), array.data<float>() + array.size()};
}

// NaN is near nothing.
void expect_near(const mx::array& got, const Values& want, float tolerance, const std::string& what) {
  const Values values = values_of(got);
  ASSERT_EQ(values.size(), want.size()) << what;
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(values[i], want[i], tolerance) << what << " " << i;
}

mx::array from(const Values& values, mx::Shape shape) { return mx::array(values.data(), shape, mx::float32); }

mx::array random(mx::Shape shape, std::uint64_t seed, float scale) {
  std::size_t size = 1;
  for (const int n : shape) size *= static_cast<std::size_t>(n);
  Values values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = scale * static_cast<float>(2 * uniform({seed, i}) - 1);
  return from(values, shape);
}

// Four tokens of one head with dqk 2 and dv 3; i_2 is the second input gate.
MlstmInputs golden_inputs(float i_2) {
  const float s = 1.0f / std::sqrt(2.0f);
  return {from({1, -0.5f, 0.25f, 2, -1.5f, 0.75f, 0.5f, 0.5f}, {1, 4, 2}) * mx::array(s),
          from({0.5f, 1, -1, 0.5f, 2, -0.25f, 1, 1}, {1, 4, 2}),
          from({1, 2, -1, 0.5f, -0.5f, 3, -2, 1, 0.25f, 0.1f, 0.2f, 0.3f}, {1, 4, 3}),
          from({-1, i_2, -10, 0.5f}, {1, 4}), from({3, -1, 6, 0}, {1, 4})};
}

MlstmState zero_state(int heads, int qk, int v) {
  return {mx::zeros({heads, qk, v}), mx::zeros({heads, qk}), mx::zeros({heads, 1})};
}

MlstmInputs tokens(const MlstmInputs& in, int first, int last) {
  const auto cut = [&](const mx::array& x) {
    mx::Shape begin(x.ndim(), 0), end = x.shape();
    begin[1] = first;
    end[1] = last;
    return mx::slice(x, begin, end);
  };
  return {cut(in.q), cut(in.k), cut(in.v), cut(in.i), cut(in.f)};
}

// All tokens in pieces of at most `piece`, as chunks or as single steps.
MlstmOutput run(Form form, int piece, const MlstmInputs& in, MlstmState state, float eps = 1e-6f) {
  std::vector<mx::array> h;
  for (int t = 0; t < in.i.shape(1); t += piece) {
    const MlstmOutput out = mlstm(form, tokens(in, t, std::min(t + piece, in.i.shape(1))), state, eps);
    h.push_back(out.h);
    state = out.state;
  }
  return {mx::concatenate(h, 1), state};
}

struct Way {
  Form form;
  int piece;
};
const std::vector<Way> kWays = {
    {Form::step, 1}, {Form::chunk, 1}, {Form::chunk, 2}, {Form::chunk, 3}, {Form::chunk, 4}};

TEST(MlxMlstmCell, GoldenVectorsInEveryForm) {
  for (const Way way : kWays) {
    const MlstmOutput out = run(way.form, way.piece, golden_inputs(2), zero_state(1, 2, 3));
    const std::string what = "piece " + std::to_string(way.piece);
    expect_near(out.h,
                {0, 0, 0, 0.518274615f, -0.408621476f, 2.853790365f, 0.500025801f, -0.500015330f, 3.000026533f,
                 -0.183020968f, 0.611262047f, -1.630888636f},
                5e-6f, what + " h");
    expect_near(out.state.c, {-0.448593086f, 0.602875422f, -2.872481876f, 0.308129534f, -0.133748632f, 1.620819757f},
                2e-6f, what + " c");
    expect_near(out.state.n, {-0.545926290f, 0.960754754f}, 1e-6f, what + " n");
    expect_near(out.state.m, {1.304377134f}, 1e-6f, what + " m");
  }
}

TEST(MlxMlstmCell, EpsIsAddedAfterTheMaximum) {
  for (const Way way : kWays) {
    const MlstmOutput out = run(way.form, way.piece, tokens(golden_inputs(15), 0, 2), zero_state(1, 2, 3));
    const mx::array h_2 = mx::slice(out.h, {0, 1, 0}, {1, 2, 3});
    expect_near(h_2, {0.499999100f, -0.499998843f, 2.999994000f}, 4e-7f, "h_2");
  }
}

TEST(MlxMlstmCell, ChunkwiseIsTheRecurrenceWithOpenAndShutGates) {
  for (const float gate_scale : {1.0f, 15.0f}) {
    for (const int length : {1, 2, 16, 64, 70}) {
      const MlstmInputs in{random({2, length, 8}, 1, 1), random({2, length, 8}, 2, 1), random({2, length, 4}, 3, 1),
                           random({2, length}, 4, gate_scale), random({2, length}, 5, gate_scale)};
      const MlstmOutput steps = run(Form::step, 1, in, zero_state(2, 8, 4));
      const MlstmOutput chunks = run(Form::chunk, 64, in, zero_state(2, 8, 4));
      const std::string what = std::to_string(length) + " tokens, gates up to " + std::to_string(gate_scale);
      expect_near(chunks.h, values_of(steps.h), 2e-4f, what + " h");
      expect_near(chunks.state.c, values_of(steps.state.c), 2e-5f, what + " c");
      expect_near(chunks.state.n, values_of(steps.state.n), 2e-5f, what + " n");
      expect_near(chunks.state.m, values_of(steps.state.m), 2e-5f, what + " m");
    }
  }
}

TEST(MlxSlstmCell, GoldenVectors) {
  // given: what reaches the gates i, f, z, o without the recurrent part, and R as [in][gate][out]
  const mx::array recurrent =
      from({0.1f, -0.2f, 0.3f, 0, 0.5f, -0.5f, 0.2f, 0.1f, -0.3f, 0.4f, 0.1f, 0.2f, 0, 0.25f, -0.1f, 0.6f}, {1, 2, 8});
  const Values bias = {0, 0.1f, 1, 2, 0, 0, 0.2f, -0.2f};
  Values raw = {0.5f, -1, 0, 0.5f, 1, -2, 0.3f, 0.7f, -0.5f, 2, 1, -1, 0.25f, 0.75f, 0, -1};
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] += bias[i % bias.size()];
  // when
  const SlstmOutput out =
      slstm_scan(config::SlstmFunction::slstm, from(raw, {2, 1, 1, 8}), recurrent, mx::zeros({4, 1, 2}));
  // then
  expect_near(out.y, {0.474061389f, -0.600067963f, 0.385418689f, 0.051693304f}, 1e-6f, "y");
  expect_near(
      out.state,
      {0.385418689f, 0.051693304f, 0.996284493f, 0.300394931f, 1.519391241f, 1.049186277f, 0.382524372f, 1.765160537f},
      1e-6f, "state");
}

TEST(MlxSlstmCell, FreshnessIsAskedOfEachElement) {
  // given: the first element fresh, the second with a large m that a fresh one must not see
  const mx::array state = from({0, 0, 0, 1, 0, 1, 9, 9}, {4, 1, 2});
  const mx::array raw = from({-3, -3, 5, 5, 1, 1, 0, 0}, {1, 1, 1, 8});
  // when
  const SlstmOutput out = slstm_scan(config::SlstmFunction::slstm, raw, mx::zeros({1, 2, 8}), state);
  // then: m = i for the fresh one, m = m_old + log sigmoid(f) for the other
  const Values values = values_of(out.state);
  EXPECT_FLOAT_EQ(values[6], -3.0f);
  EXPECT_NEAR(values[7], 9.0f - std::log1p(std::exp(-5.0f)), 1e-6f);
}

TEST(MlxSlstmCell, LstmInItsPlace) {
  const mx::array raw = from({0.5f, -1, 2, 0.25f}, {1, 1, 1, 4});
  const SlstmOutput out =
      slstm_scan(config::SlstmFunction::lstm, raw, mx::zeros({1, 1, 4}), from({0, 0.75f}, {2, 1, 1}));
  const auto sigmoid = [](float x) { return 1 / (1 + std::exp(-x)); };
  const float c = sigmoid(-1) * 0.75f + sigmoid(0.5f) * std::tanh(2.0f);
  expect_near(out.state, {sigmoid(0.25f) * std::tanh(c), c}, 1e-6f, "y, c");
}

TEST(MlxLayers, GoldenNormsAndSoftCap) {
  WeightUploader uploader;
  const mx::array x = from({1, -2, 3, 0.5f}, {1, 4});
  expect_near(Norm(NormKind::rms, {}, 1e-6f, uploader)(x), {0.529812868f, -1.059625737f, 1.589438605f, 0.264906434f},
              1e-6f, "rms");
  expect_near(Norm(NormKind::layer_per_head, {}, 1e-6f, uploader)(mx::reshape(x, {1, 2, 2})),
              {0.999999778f, -0.999999778f, 0.999999680f, -0.999999680f}, 1e-6f, "per head");
  expect_near(soft_cap(from({5, 20, -40}, {3}), 15.0f), {4.822691063f, 13.050924926f, -14.855857413f}, 5e-6f, "cap 15");
  expect_near(soft_cap(from({100}, {1}), 30.0f), {29.923739024f}, 5e-6f, "cap 30");
  expect_near(soft_cap(from({100}, {1}), std::nullopt), {100}, 0, "no cap");
}

TEST(MlxLayers, LogSigmoidAtBothEnds) {
  expect_near(log_sigmoid(from({-100, 0, 15, 100}, {4})), {-100, -0.693147181f, -3.05902227e-7f, 0}, 1e-12f + 6e-8f,
              "log sigmoid");
}

TEST(MlxLayers, ConvolutionInPiecesIsTheWhole) {
  // given
  WeightUploader uploader;
  const Values taps = values_of(random({3, 4}, 11, 1)), bias = values_of(random({3}, 12, 1));
  const CausalConv conv({FloatArray(taps), FloatArray(bias), 3, 4}, uploader);
  const mx::array x = random({9, 3}, 13, 1);
  // when
  const CausalConv::Output whole = conv(x, mx::zeros({1, 4, 3}));
  // then
  for (const int cut : {1, 2, 5, 8}) {
    const CausalConv::Output first = conv(rows(x, 0, cut), mx::zeros({1, 4, 3}));
    const CausalConv::Output second = conv(rows(x, cut, 9), first.ring);
    expect_near(mx::concatenate({first.y, second.y}, 0), values_of(whole.y), 1e-6f, "cut " + std::to_string(cut));
    expect_near(second.ring, values_of(rows(x, 5, 9)), 0, "ring");
  }
  // and token 0, channel 1 sees its own input through the last tap only
  EXPECT_NEAR(values_of(whole.y)[1], bias[1] + taps[7] * values_of(x)[1], 1e-6f);
}

TEST(MlxLayers, GeluIsTheErfForm) {
  expect_near(activate(config::Activation::gelu, from({-1, 0.5f, 2}, {3})), {-0.158655254f, 0.345731230f, 1.954499736f},
              1e-6f, "gelu");
}

TEST(MlxLayers, ActivationsAreThoseOfTheOracle) {
  namespace reference = kernels::reference;
  using config::Activation;
  const std::vector<std::pair<Activation, double (*)(double)>> kinds{
      {Activation::gelu, reference::gelu<double>},
      {Activation::relu, reference::relu<double>},
      {Activation::relu_squared, [](double x) { return reference::relu(x) * reference::relu(x); }},
      {Activation::silu, reference::silu<double>},
      {Activation::selu, reference::selu<double>},
      {Activation::tanh, [](double x) { return std::tanh(x); }},
      {Activation::sigmoid, reference::sigmoid<double>},
      {Activation::identity, [](double x) { return x; }}};
  const Values x{-30, -2, -1, -1e-3f, 0, 1e-3f, 0.5f, 1, 3, 30};
  for (const auto& [kind, oracle] : kinds) {
    const Values y = values_of(activate(kind, from(x, {10})));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double expected = oracle(x[i]);
      EXPECT_NEAR(y[i], expected, 1e-6 * std::max(1.0, std::abs(expected)))
          << config::activation_name(kind) << " of " << x[i];
    }
  }
}

}  // namespace
}  // namespace xlstm::backend::mlx
