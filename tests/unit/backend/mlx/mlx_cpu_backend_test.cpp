// The CPU engine inside MLX primitives: the same bits as by itself.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "tiny_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/backend/mlx/mlx_runtime.h"
#include "xlstm/backend/observer.h"
#include "xlstm/backend/profile.h"
#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

using Values = std::vector<float>;
using ModelPtr = std::shared_ptr<const model::Model>;

constexpr std::size_t kVocab = 32;
const Options kOptions{2};

std::vector<TokenId> some_tokens(std::size_t count, int seed) {
  std::vector<TokenId> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<TokenId>((7 * i + static_cast<std::size_t>(seed)) % kVocab);
  return tokens;
}

struct Sequence {
  std::vector<TokenId> tokens;
  Logits wanted = Logits::last;
};

// Everything a backend gives for the sequences, prefilled in one call and decoded in another: logits, then states.
std::vector<Values> everything(Backend& backend, const std::vector<Sequence>& sequences) {
  std::vector<Values> results;
  std::vector<std::unique_ptr<State>> states;
  std::vector<PrefillRow> prefill;
  std::vector<DecodeRow> decode;
  results.reserve(3 * sequences.size());  // rows point into it
  for (const Sequence& s : sequences) {
    const std::size_t rows = s.wanted == Logits::none ? 0 : s.wanted == Logits::last ? 1 : s.tokens.size();
    State* const state = states.emplace_back(backend.make_state()).get();
    prefill.push_back({s.tokens, state, s.wanted, results.emplace_back(rows * kVocab, NAN)});
    decode.push_back({3, state, results.emplace_back(kVocab, NAN)});
  }
  backend.prefill(prefill);
  backend.decode(decode);
  for (const auto& state : states) {
    state->to_host(results.emplace_back(static_cast<std::size_t>(backend.model().state_spec.slot_size), NAN));
  }
  return results;
}

TEST(MlxCpuBackend, TimesTheOperationsOfTheCpuBackend) {
  const auto backend = make_mlx_cpu_backend(testing::tiny_large_model(), kOptions);
  Profile profile;
  backend->set_profile(&profile);
  everything(*backend, {{some_tokens(20, 1)}});
  EXPECT_EQ(profile[model::Op::head].laps, 2);  // of the prefill, of the step
}

class Recorder final : public Observer {
 public:
  void on_stream(std::size_t depth, std::span<const float> x) override {
    seen.push_back(static_cast<float>(depth));
    seen.insert(seen.end(), x.begin(), x.end());
  }
  Values seen;
};

Values streams(Backend& backend) {
  Recorder recorder;
  const Observation observation(backend, recorder);
  everything(backend, {{some_tokens(20, 1)}, {some_tokens(5, 2)}});
  return recorder.seen;
}

TEST(MlxCpuBackend, ShowsTheStreamsOfTheCpuBackend) {
  const ModelPtr model = testing::tiny_large_model();
  const auto cpu = make_cpu_backend(model, kOptions), mlx = make_mlx_cpu_backend(model, kOptions);
  EXPECT_FALSE(streams(*mlx).empty());
  EXPECT_EQ(streams(*mlx), streams(*cpu));
}

void expect_the_bits_of_the_cpu_backend(const Options& options) {
  for (const ModelPtr& model : {testing::tiny_large_model(), testing::tiny_research_model()}) {
    // given: rows of different lengths, some longer than a segment
    const auto cpu = make_cpu_backend(model, options), mlx = make_mlx_cpu_backend(model, options);
    const std::size_t segment = mlx->prefill_segment();
    ASSERT_EQ(segment, cpu->prefill_segment());
    const std::vector<Sequence> sequences = {{some_tokens(1, 1)},
                                             {some_tokens(2 * segment + 3, 2)},
                                             {some_tokens(segment + 1, 3), Logits::all},
                                             {some_tokens(segment, 4), Logits::none}};
    // when, then
    EXPECT_EQ(everything(*mlx, sequences), everything(*cpu, sequences));
    EXPECT_EQ(mlx->name(), "mlx-cpu");
    EXPECT_EQ(mlx->num_threads(), 2);
    EXPECT_EQ(mlx->state_dtype(), options.state_dtype);
  }
}

TEST(MlxCpuBackend, HasTheBitsOfTheCpuBackend) { expect_the_bits_of_the_cpu_backend(kOptions); }

TEST(MlxCpuBackend, HasTheBitsOfTheCpuBackendInABfloat16State) {
  expect_the_bits_of_the_cpu_backend({2, DType::bfloat16});
}

TEST(MlxCpuBackend, StatesAreTheCpuBackends) {
  const ModelPtr model = testing::tiny_large_model();
  const auto cpu = make_cpu_backend(model, kOptions), mlx = make_mlx_cpu_backend(model, kOptions);
  const auto state = mlx->make_state(), clone = state->clone();
  Values from_mlx(kVocab), from_cpu(kVocab);
  const DecodeRow a{5, state.get(), from_mlx}, b{5, clone.get(), from_cpu};
  mlx->decode({&a, 1});
  cpu->decode({&b, 1});
  EXPECT_EQ(from_mlx, from_cpu);
}

TEST(MlxCpuBackend, AFaultIsAnErrorAndChangesNothing) {
  const auto backend = make_mlx_cpu_backend(testing::tiny_large_model(), kOptions);
  const auto state = backend->make_state();
  const std::vector<TokenId> good = some_tokens(3, 1), bad = {1, static_cast<TokenId>(kVocab)};
  Values logits(kVocab), more(kVocab);
  const PrefillRow rows[] = {{good, state.get(), Logits::last, logits}, {bad, state.get(), Logits::last, more}};
  EXPECT_THROW(backend->prefill(rows), Error);
  Values slot(static_cast<std::size_t>(backend->model().state_spec.slot_size), NAN);
  state->to_host(slot);
  EXPECT_EQ(slot, Values(slot.size(), 0.0f));
  std::thread([&] { EXPECT_THROW(backend->prefill({rows, 1}), Error); }).join();
}

TEST(MlxCpuBackend, MadeAgainAndAgainItTakesNoNewStream) {
  const ModelPtr model = testing::tiny_large_model();
  make_mlx_cpu_backend(model, kOptions);
  mlx::thread_stream();
  const std::size_t streams = mlx::mx::get_streams().size();
  for (int i = 0; i < 20; ++i) {
    const auto backend = make_mlx_cpu_backend(model, kOptions);
    everything(*backend, {{some_tokens(5, i)}});
  }
  EXPECT_EQ(mlx::mx::get_streams().size(), streams);
}

}  // namespace
}  // namespace xlstm::backend
