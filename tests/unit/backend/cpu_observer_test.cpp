// The residual stream of a pass is shown whole, in order, and the same whether tokens come in panels or one by one.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/backend/tiny_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/observer.h"

namespace xlstm::testing {
namespace {

class Recorder final : public backend::Observer {
 public:
  void on_stream(std::size_t depth, std::span<const float> x) override {
    streams[depth].insert(streams[depth].end(), x.begin(), x.end());
  }

  std::map<std::size_t, std::vector<float>> streams;
};

class CpuObserverTest : public ::testing::TestWithParam<TinySpec> {
 protected:
  Recorder prefill(std::span<const TokenId> tokens, backend::Logits wanted) {
    Recorder recorder;
    const backend::Observation observation(*backend_, recorder);
    const auto state = backend_->make_state();
    const std::size_t rows = wanted == backend::Logits::all ? tokens.size() : 1;
    std::vector<float> logits(rows * vocab_);
    const backend::PrefillRow row{tokens, state.get(), wanted, logits};
    backend_->prefill({&row, 1});
    return recorder;
  }
  Recorder decode(std::span<const TokenId> tokens) {
    Recorder recorder;
    const backend::Observation observation(*backend_, recorder);
    const auto state = backend_->make_state();
    std::vector<float> logits(vocab_);
    for (const TokenId token : tokens) {
      const backend::DecodeRow row{token, state.get(), logits};
      backend_->decode({&row, 1});
    }
    return recorder;
  }
  std::vector<TokenId> some_tokens(std::size_t count) const {
    std::vector<TokenId> tokens(count);
    for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(i * i % vocab_);
    return tokens;
  }

  const std::shared_ptr<const model::Model> model_ = make_tiny_model(GetParam());
  const std::unique_ptr<backend::Backend> backend_ = backend::make_cpu_backend(model_, {2});
  const std::size_t vocab_ = static_cast<std::size_t>(model_->config.vocab_size);
};

void expect_close(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_TRUE(std::abs(a[i] - b[i]) <= 1e-3f * (1 + std::abs(b[i])))
        << what << ' ' << i << ' ' << a[i] << ' ' << b[i];
  }
}

TEST_P(CpuObserverTest, PanelsShowWhatSingleTokensShow) {
  for (const std::size_t count :
       {1u, 4u, 16u, 17u, 300u}) {  // a step, panels with and without empty lanes, two segments
    const std::vector<TokenId> tokens = some_tokens(count);
    const Recorder panels = prefill(tokens, backend::Logits::all), steps = decode(tokens);
    ASSERT_EQ(panels.streams.size(), model_->blocks.size() + 1);
    for (const auto& [depth, x] : panels.streams) {
      EXPECT_EQ(x.size(), count * static_cast<std::size_t>(model_->config.embedding_dim));
      expect_close(x, steps.streams.at(depth), "stream " + std::to_string(depth));
    }
  }
}

TEST_P(CpuObserverTest, TheFirstStreamIsTheEmbedding) {
  const std::vector<TokenId> tokens = some_tokens(20);
  const Recorder seen = prefill(tokens, backend::Logits::last);
  const auto dim = static_cast<std::size_t>(model_->config.embedding_dim);
  std::vector<float> expected(tokens.size() * dim);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const TensorView& table = model_->embedding.weight;
    const std::size_t at = static_cast<std::size_t>(tokens[t]) * dim * dtype_size(table.dtype);
    widen_to_float32(table.dtype, table.data + at, dim, expected.data() + t * dim);
  }
  EXPECT_EQ(seen.streams.at(0), expected);
}

TEST_P(CpuObserverTest, ChangesNoBitAndEndsWithItsScope) {
  const std::vector<TokenId> tokens = some_tokens(20);
  std::vector<float> observed(vocab_), alone(vocab_);
  Recorder recorder;
  const auto run = [&](std::span<float> logits) {
    const auto state = backend_->make_state();
    const backend::PrefillRow row{tokens, state.get(), backend::Logits::last, logits};
    backend_->prefill({&row, 1});
  };
  {
    const backend::Observation observation(*backend_, recorder);
    run(observed);
  }
  const std::size_t before = recorder.streams.at(0).size();
  run(alone);
  EXPECT_EQ(observed, alone);
  EXPECT_EQ(recorder.streams.at(0).size(), before);
}

INSTANTIATE_TEST_SUITE_P(Tiny, CpuObserverTest, ::testing::ValuesIn(tiny_specs()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace xlstm::testing
