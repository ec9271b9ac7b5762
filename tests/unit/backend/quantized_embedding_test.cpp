// Rows of a quantised embedding enter the network as their dequantised values.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/backend/corpus_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"

namespace xlstm::testing {
namespace {

std::vector<float> logits_of(std::shared_ptr<const model::Model> model) {
  const auto backend = backend::make_cpu_backend(model, {1});
  const auto state = backend->make_state();
  const std::vector<TokenId> tokens = {0, 3, 5, 7, 1};
  std::vector<float> logits(tokens.size() * static_cast<std::size_t>(model->config.vocab_size), NAN);
  const backend::PrefillRow row{tokens, state.get(), backend::Logits::all, logits};
  backend->prefill({&row, 1});
  return logits;
}

// The corpus holds the same values plainly and quantised.
TEST(QuantizedEmbedding, GivesTheSameLogitsAsTheSameValuesStoredPlainly) {
  const auto plain = tests::corpus_model("wide");
  const std::vector<float> expected = logits_of(plain);
  for (const char* name : {"wide_int4", "wide_int8", "wide_int4_float16"}) {
    const auto quantized = tests::corpus_model(name);
    auto mixed = std::make_shared<model::Model>(*plain);
    mixed->embedding = quantized->embedding;
    ASSERT_TRUE(mixed->embedding.groups.has_value());
    EXPECT_EQ(logits_of(mixed), expected) << name;
  }
}

}  // namespace
}  // namespace xlstm::testing
