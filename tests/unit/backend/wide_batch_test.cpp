// Decode without batch invariance: large batches go through the panel products of prefill and answer as the others do.
#include "xlstm/backend/cpu/wide_batch.h"
#include "tests/unit/backend/corpus_model.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/backend/cpu_runner.h"
#include "tests/unit/backend/tiny_model.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::testing {
namespace {

using ModelPointer = std::shared_ptr<const model::Model>;

/// Logits and states of `batch` sequences after two steps in one call each.
struct Answer {
  std::vector<Floats> logits, slots;
};

Answer decode(const ModelPointer& model, std::size_t batch, bool batch_invariant) {
  const auto cpu = backend::make_cpu_backend(
      model, {.num_threads = 2, .activation_dtype = DType::float32, .batch_invariant = batch_invariant});
  std::vector<std::unique_ptr<backend::State>> states;
  Answer answer;
  answer.logits.assign(batch, Floats(static_cast<std::size_t>(model->config.vocab_size)));
  for (std::size_t b = 0; b < batch; ++b) states.push_back(cpu->make_state());
  for (std::uint64_t step = 0; step < 2; ++step) {
    const Tokens tokens = random_tokens(batch, model->config.vocab_size, step);
    std::vector<backend::DecodeRow> rows;
    for (std::size_t b = 0; b < batch; ++b) rows.push_back({tokens[b], states[b].get(), answer.logits[b]});
    cpu->decode(rows);
  }
  for (const auto& state : states) {
    answer.slots.emplace_back(static_cast<std::size_t>(model->state_spec.slot_size));
    state->to_host(answer.slots.back());
  }
  return answer;
}

class WideBatchTest : public ::testing::Test {
 protected:
  void TearDown() override { kernels::force_cpu_target(""); }
};

TEST_F(WideBatchTest, AnyBatchAnswersAsWithInvarianceOnEveryCpuTarget) {
  std::vector<ModelPointer> models = {tests::corpus_model("wide"), tests::corpus_model("wide_int4"),
                                      tests::corpus_model("research_wide_int4")};
  for (const TinySpec& spec : tiny_specs()) models.push_back(make_tiny_model(spec));
  for (const std::string& target : kernels::cpu_targets()) {
    kernels::force_cpu_target(target);
    for (std::size_t m = 0; m < models.size(); ++m) {
      for (const std::size_t batch : {1u, 8u, 15u, 16u, 17u, 35u}) {
        const Answer wide = decode(models[m], batch, false), exact = decode(models[m], batch, true);
        for (std::size_t b = 0; b < batch; ++b) {
          for (std::size_t i = 0; i < wide.logits[b].size(); ++i) {
            ASSERT_NEAR(wide.logits[b][i], exact.logits[b][i], 2 * kLogitBound)
                << target << " model " << m << " row " << b;
          }
          const float largest = *std::max_element(exact.slots[b].begin(), exact.slots[b].end());
          for (std::size_t i = 0; i < wide.slots[b].size(); ++i) {
            ASSERT_NEAR(wide.slots[b][i], exact.slots[b][i], 2 * kStateBound * std::max(1.0f, largest)) << target;
          }
        }
      }
    }
  }
}

// What the two ways are told apart by: below the crossover not one bit may differ, so both took vectors.
TEST_F(WideBatchTest, BelowTheCrossoverNoBitDiffersAndFromAPanelOnSomeDo) {
  const ModelPointer model = tests::corpus_model("wide");
  const auto crossover = static_cast<std::size_t>(backend::panel_crossover(false));
  ASSERT_LE(crossover, 16u);
  const Answer below = decode(model, crossover - 1, false), below_exact = decode(model, crossover - 1, true);
  EXPECT_EQ(below.logits, below_exact.logits);
  EXPECT_EQ(below.slots, below_exact.slots);
  EXPECT_NE(decode(model, 16, false).slots, decode(model, 16, true).slots);
}

}  // namespace
}  // namespace xlstm::testing
