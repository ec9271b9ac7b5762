// A quantised network is the network of its dequantised weights. The corpus holds both, with the same values.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/unit/backend/corpus_model.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/mlx/mlx_backend.h"

namespace xlstm::backend {
namespace {

std::vector<float> logits_of(Backend& backend) {
  const auto state = backend.make_state();
  const std::vector<TokenId> tokens = {0, 3, 5, 7, 1};
  std::vector<float> logits(tokens.size() * static_cast<std::size_t>(backend.model().config.vocab_size), NAN);
  const PrefillRow row{tokens, state.get(), Logits::all, logits};
  backend.prefill({&row, 1});
  return logits;
}

std::vector<float> logits_of(const std::string& name) {
  return logits_of(*make_mlx_backend(tests::corpus_model(name), {}));
}

TEST(QuantizedNetwork, IsThatOfItsDequantisedWeights) {
  const std::vector<float> plain = logits_of("wide"), research = logits_of("research_wide");
  for (const char* name : {"wide_int4", "wide_int8", "wide_int4_float16", "wide_int4_fused", "wide_int4_modules"}) {
    EXPECT_EQ(logits_of(name), plain) << name;
  }
  EXPECT_EQ(logits_of("research_wide_int4"), research);
  EXPECT_EQ(logits_of("research_wide_tied_int4"), logits_of("research_wide_tied"));
  EXPECT_NE(logits_of("wide_int4_tied"), plain);
}

// Both in float32: the CPU engine reads the words, this backend what mx::dequantize makes of them.
TEST(QuantizedNetwork, IsTheOneThatTheCpuBackendRuns) {
  for (const char* name : {"wide_int4", "wide_int8", "wide_int4_float16", "wide_int4_fused", "wide_int4_modules",
                           "wide_int4_tied", "wide_int4_package", "research_wide_int4", "research_wide_tied_int4"}) {
    const auto cpu =
        make_cpu_backend(tests::corpus_model(name), {.num_threads = 1, .activation_dtype = DType::float32});
    const std::vector<float> expected = logits_of(*cpu), logits = logits_of(name);
    ASSERT_EQ(logits.size(), expected.size()) << name;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      EXPECT_TRUE(std::abs(logits[i] - expected[i]) <= 2e-4f)
          << name << ' ' << i << ' ' << logits[i] << ' ' << expected[i];
    }
  }
}

TEST(QuantizedNetwork, CountsItsFloat32CopiesOfTheWeights) {
  const auto model = tests::corpus_model("wide_int4");
  // All numbers of the network, the scales and biases of groups not among them.
  EXPECT_EQ(make_mlx_backend(model, {})->repacked_bytes(), static_cast<std::size_t>(model->num_parameters) * 4);
  EXPECT_EQ(make_cpu_backend(model, {})->repacked_bytes(), 0u);
}

}  // namespace
}  // namespace xlstm::backend
