// Both golden models on every backend of this build against the reference implementation's float32 output.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/parity/compare.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/engine/engine.h"

namespace xlstm::parity {
namespace {

using engine::Engine;
using engine::Session;

constexpr double kLogitBound = 2e-4;   // absolute
constexpr double kStateFactor = 1e-4;  // max|a-b| <= factor * max|b|
constexpr double kMBound = 1e-4;       // absolute, for the stabiliser m
constexpr double kPerplexityBound = 1e-3;

const std::filesystem::path kSource = XLSTM_SOURCE_DIR;

struct GoldenModel {
  const char* name;
  const char* directory;
  std::vector<std::string> prompts;
};
std::ostream& operator<<(std::ostream& out, const GoldenModel& model) { return out << model.name; }

/// The research model has no p777: its reference implementation reads at most 256 tokens.
const GoldenModel kBard = {"bard-8m", "models/bard-8m", {"p1", "p7", "p63", "p64", "p65", "p200", "p777"}};
const GoldenModel kBytes = {
    "bytes-mixed-1.5m", "tests/data/bytes-mixed-1.5m", {"p1", "p7", "p63", "p64", "p65", "p200"}};

/// One stored tensor of the reference file.
template <class T>
std::span<const T> values(const TensorView& tensor) {
  return {reinterpret_cast<const T*>(tensor.data), static_cast<std::size_t>(tensor.size())};
}

class ModelParity : public testing::TestWithParam<std::tuple<GoldenModel, std::string>> {
 protected:
  void SetUp() override {
    const auto& [golden, backend] = GetParam();
    engine::LoadOptions options;
    options.model = kSource / golden.directory;
    options.backend = backend;
    engine_ = Engine::load(options);
    reference_ =
        checkpoint::open_safetensors(kSource / "tests/data/reference" / (std::string(golden.name) + ".safetensors"));
  }

  const std::vector<std::string>& prompts() const { return std::get<0>(GetParam()).prompts; }
  const TensorView& tensor(const std::string& name) const {
    const auto found = reference_.tensors.find(name);
    if (found == reference_.tensors.end()) throw std::runtime_error("no " + name + " in the reference file");
    return found->second;
  }
  std::vector<TokenId> ids(const std::string& name) const {
    const std::span<const std::int32_t> stored = values<std::int32_t>(tensor(name));
    return {stored.begin(), stored.end()};
  }
  std::span<const float> floats(const std::string& name) const { return values<float>(tensor(name)); }
  std::size_t vocab() const { return static_cast<std::size_t>(engine_->model().config.vocab_size); }

  void expect_states(const Session& session, const std::string& prompt) const;

  std::unique_ptr<Engine> engine_;
  checkpoint::SafetensorsFile reference_;
};

bool is_m(const std::string& name) { return name.ends_with(".m") || name.ends_with("mlstm_state.2"); }

/// sLSTM keeps y, c, n and m in one tensor: each is held to its own bound.
void expect_slstm_state(std::span<const float> actual, std::span<const float> expected, std::size_t parts) {
  const std::size_t size = expected.size() / parts;
  for (std::size_t part = 0; part < parts; ++part) {
    SCOPED_TRACE("part " + std::to_string(part));
    const auto a = actual.subspan(part * size, size), b = expected.subspan(part * size, size);
    EXPECT_TRUE(part == 3 ? within(a, b, kMBound) : within_relative(a, b, kStateFactor));
  }
}

void ModelParity::expect_states(const Session& session, const std::string& prompt) const {
  const std::string prefix = prompt + ".state.";
  std::size_t compared = 0;
  for (const engine::StateTensorValue& state : engine_->state_tensors(session)) {
    SCOPED_TRACE(prefix + state.name);
    const TensorView& expected = tensor(prefix + state.name);
    ASSERT_EQ(state.shape, expected.shape);
    if (state.name.find("slstm_state") != std::string::npos) {
      expect_slstm_state(state.values, values<float>(expected), static_cast<std::size_t>(state.shape.at(0)));
    } else if (is_m(state.name)) {
      EXPECT_TRUE(within(state.values, values<float>(expected), kMBound));
    } else {
      EXPECT_TRUE(within_relative(state.values, values<float>(expected), kStateFactor));
    }
    ++compared;
  }
  const auto stored = std::count_if(reference_.tensors.begin(), reference_.tensors.end(),
                                    [&](const auto& entry) { return entry.first.starts_with(prefix); });
  EXPECT_EQ(compared, static_cast<std::size_t>(stored));
}

TEST_P(ModelParity, PrefillLogitsAtEveryStoredPosition) {
  for (const std::string& prompt : prompts()) {
    SCOPED_TRACE(prompt);
    const std::span<const float> expected = floats(prompt + ".logits");
    Session session = engine_->new_session();
    const std::vector<float> logits = engine_->all_logits(session, ids(prompt + ".tokens"));
    ASSERT_GE(logits.size(), expected.size());
    EXPECT_TRUE(within(std::span(logits).last(expected.size()), expected, kLogitBound));
  }
}

TEST_P(ModelParity, PrefillForTheLastPositionOnly) {
  for (const std::string& prompt : prompts()) {
    SCOPED_TRACE(prompt);
    Session session = engine_->new_session();
    const std::vector<float> logits = engine_->prefill(session, ids(prompt + ".tokens"));
    EXPECT_TRUE(within(logits, floats(prompt + ".logits").last(vocab()), kLogitBound));
  }
}

TEST_P(ModelParity, DecodeTokenByToken) {
  for (const std::string& prompt : prompts()) {
    SCOPED_TRACE(prompt);
    const std::vector<TokenId> tokens = ids(prompt + ".tokens");
    const std::span<const float> expected = floats(prompt + ".logits");
    const std::size_t first_stored = tokens.size() - expected.size() / vocab();
    Session session = engine_->new_session();
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      const std::vector<float> logits = engine_->step(session, tokens[t]);
      if (t < first_stored) continue;
      ASSERT_TRUE(within(logits, expected.subspan((t - first_stored) * vocab(), vocab()), kLogitBound))
          << "position " << t;
    }
  }
}

TEST_P(ModelParity, StatesAfterPrefillAndAfterDecode) {
  for (const std::string prompt : {"p7", "p65"}) {
    const std::vector<TokenId> tokens = ids(prompt + ".tokens");
    Session prefilled = engine_->new_session(), stepped = engine_->new_session();
    engine_->prefill(prefilled, tokens);
    for (const TokenId token : tokens) engine_->step(stepped, token);
    {
      SCOPED_TRACE("prefill");
      expect_states(prefilled, prompt);
    }
    SCOPED_TRACE("decode");
    expect_states(stepped, prompt);
  }
}

TEST_P(ModelParity, GreedyIdsAndTheLogitsAfterThem) {
  for (const std::string& prompt : prompts()) {
    SCOPED_TRACE(prompt);
    generation::Request request;
    request.prompt = ids(prompt + ".tokens");
    request.sampling.temperature = 0;
    request.max_tokens = 48;
    Session session = engine_->new_session();
    const generation::Result result = engine_->generate(session, request);
    ASSERT_EQ(result.ids, ids(prompt + ".greedy"));
    const std::vector<float> logits = engine_->step(session, result.ids.back());
    EXPECT_TRUE(within(logits, floats(prompt + ".logits_after_greedy"), kLogitBound));
  }
}

TEST_P(ModelParity, Perplexity) {
  const nlohmann::json golden = nlohmann::json::parse(std::ifstream(kSource / "tests/data/reference/perplexity.json"));
  const nlohmann::json& expected = golden.at(std::get<0>(GetParam()).name);
  std::stringstream text;
  text << std::ifstream(kSource / "tests/data/text/val.txt").rdbuf();
  std::vector<TokenId> tokens = engine_->encode(text.str(), /*with_bos=*/true);
  tokens.resize(expected.at("tokens").get<std::size_t>());
  ASSERT_EQ(tokens.front() == 0, expected.at("bos").is_number());

  const engine::Perplexity perplexity = engine_->perplexity(tokens);

  EXPECT_EQ(perplexity.tokens, tokens.size());
  EXPECT_NEAR(perplexity.nll_per_token, expected.at("nll_per_token").get<double>(), kPerplexityBound);
  EXPECT_NEAR(perplexity.perplexity, std::exp(perplexity.nll_per_token), 1e-9);
}

std::string test_name(const testing::TestParamInfo<ModelParity::ParamType>& info) {
  std::string name = std::string(std::get<0>(info.param).name) + "_on_" + std::get<1>(info.param);
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Golden, ModelParity,
                         testing::Combine(testing::Values(kBard, kBytes), testing::ValuesIn(backend::backend_names())),
                         test_name);

}  // namespace
}  // namespace xlstm::parity
