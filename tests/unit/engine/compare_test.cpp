// Two models on one text: nothing apart from itself, and as far from another way to run it as the definitions say.
#include "xlstm/engine/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "xlstm/backend/backend.h"
#include "xlstm/base/error.h"
#include "xlstm/sampling/divergence.h"

namespace xlstm::engine {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;

std::unique_ptr<Engine> load(const fs::path& model, std::optional<DType> activation_dtype = {},
                             const std::string& backend = "cpu") {
  LoadOptions options;
  options.model = model;
  options.backend = backend;
  options.activation_dtype = activation_dtype;
  return Engine::load(options);
}
fs::path bytes_mixed() { return fs::path(XLSTM_SOURCE_DIR) / "tests/data/bytes-mixed-1.5m"; }

std::vector<TokenId> text_of(const Engine& engine, std::size_t tokens) {
  std::ifstream file(fs::path(XLSTM_SOURCE_DIR) / "tests/data/text/val.txt", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::vector<TokenId> ids = engine.encode(text.substr(0, 8 * tokens), true);
  ids.resize(tokens);
  return ids;
}

TEST(Compare, AModelIsNothingApartFromItself) {
  for (const fs::path& path : {fs::path(), bytes_mixed()}) {
    const auto a = load(path), b = load(path);
    for (const std::size_t tokens : {2u, 3u, 256u, 257u, 600u}) {
      const Comparison same = compare(*a, *b, text_of(*a, tokens), true);
      EXPECT_EQ(same.mean_kl, 0.0);
      EXPECT_EQ(same.max_kl, 0.0);
      EXPECT_EQ(same.top1_agreement, 1.0);
      EXPECT_EQ(same.layer_errors.size(), a->model().blocks.size() + 1);
      EXPECT_THAT(same.layer_errors, Each(0.0));
      EXPECT_EQ(same.reference.nll_per_token, same.other.nll_per_token);
      EXPECT_EQ(same.reference.tokens, tokens);
    }
  }
}

TEST(Compare, SaysWhatPerplexityAndTheDefinitionsSay) {
  // given: two ways to run one model
  const auto a = load({}), b = load({}, DType::bfloat16);
  const std::vector<TokenId> tokens = text_of(*a, 300);
  // when
  const Comparison found = compare(*a, *b, tokens, true);
  // then
  EXPECT_EQ(found.reference.nll_per_token, a->perplexity(tokens).nll_per_token);
  EXPECT_EQ(found.other.nll_per_token, b->perplexity(tokens).nll_per_token);
  Session of_a = a->new_session(), of_b = b->new_session();
  const std::vector<float> p = a->all_logits(of_a, tokens), q = b->all_logits(of_b, tokens);
  const auto vocab = static_cast<std::size_t>(a->model().config.vocab_size);
  double sum = 0, most = 0;
  std::size_t agreed = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    const auto row = [&](const std::vector<float>& logits) { return std::span(logits).subspan(t * vocab, vocab); };
    const double kl = sampling::kl_divergence(row(p), row(q));
    sum += kl;
    most = std::max(most, kl);
    agreed += std::ranges::max_element(row(p)) - row(p).begin() == std::ranges::max_element(row(q)) - row(q).begin();
  }
  const auto count = static_cast<double>(tokens.size() - 1);
  EXPECT_NEAR(found.mean_kl, sum / count, 1e-15);
  EXPECT_EQ(found.max_kl, most);
  EXPECT_EQ(found.top1_agreement, static_cast<double>(agreed) / count);
  EXPECT_GT(found.mean_kl, 0);
  EXPECT_GT(found.max_kl, found.mean_kl);
  EXPECT_EQ(found.layer_errors[0], 0.0);  // nothing is rounded before the first product
  for (std::size_t depth = 1; depth < found.layer_errors.size(); ++depth) {
    EXPECT_GT(found.layer_errors[depth], 1e-5) << depth;
    EXPECT_LT(found.layer_errors[depth], 1e-1) << depth;
  }
}

TEST(Compare, LeavesLayersAloneUnlessAsked) {
  const auto a = load({}), b = load({});
  EXPECT_TRUE(compare(*a, *b, text_of(*a, 20), false).layer_errors.empty());
}

void expect_refused(ErrorCode code, const std::string& part, Engine& a, Engine& b, std::span<const TokenId> tokens) {
  try {
    compare(a, b, tokens, true);
    ADD_FAILURE() << "expected an error with \"" << part << "\"";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Compare, RefusesWhatCannotBeCompared) {
  const auto a = load({}), b = load({}), bytes = load(bytes_mixed());
  const std::vector<TokenId> tokens = text_of(*a, 20), one = {0}, bad = {0, 5000};
  expect_refused(ErrorCode::invalid_argument, "size of the vocabulary: expected that of embedded, 4096, but got 256",
                 *a, *bytes, tokens);
  expect_refused(ErrorCode::invalid_argument, "at least 2 tokens", *a, *b, one);
  expect_refused(ErrorCode::invalid_argument, "expected an id from 0 to 4095 but got 5000", *a, *b, bad);
}

TEST(Compare, RefusesAnotherTokenizer) {
  // given: a copy whose ids are bytes
  const fs::path copy = fs::temp_directory_path() / ("xlstm_compare_test_" + std::to_string(getpid()));
  fs::copy(fs::path(XLSTM_SOURCE_DIR) / "models/bard-8m", copy);
  fs::remove(copy / "tokenizer.json");
  const auto a = load({}), b = load(copy);
  expect_refused(ErrorCode::invalid_argument, "tokenizer: expected that of embedded", *a, *b, text_of(*a, 20));
  fs::remove_all(copy);
}

TEST(Compare, EveryBackendShowsItsLayersOrIsRefused) {
  for (const std::string& backend : backend::backend_names()) {
    const auto a = load({}, {}, backend), b = load({}, {}, backend);
    const std::vector<TokenId> tokens = text_of(*a, 20);
    if (backend == "mlx") {
      expect_refused(ErrorCode::unsupported, "expected the backend cpu or mlx-cpu but got mlx", *a, *b, tokens);
    } else {
      EXPECT_THAT(compare(*a, *b, tokens, true).layer_errors, Each(0.0)) << backend;
    }
  }
}

TEST(Compare, CanBeCancelledAndTellsHowFarItIs) {
  const auto a = load({}), b = load({});
  const std::vector<TokenId> tokens = text_of(*a, 600);
  std::vector<std::size_t> done;
  generation::Callbacks callbacks;
  callbacks.on_prefill = [&](std::size_t now, std::size_t total) {
    EXPECT_EQ(total, tokens.size());
    done.push_back(now);
  };
  compare(*a, *b, tokens, false, callbacks);
  EXPECT_EQ(done, (std::vector<std::size_t>{256, 512, 600}));
  const std::atomic<bool> cancel{true};
  callbacks.cancel = &cancel;
  EXPECT_THROW(compare(*a, *b, tokens, false, callbacks), Error);
}

}  // namespace
}  // namespace xlstm::engine
