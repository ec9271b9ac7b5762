// A quantised network is the network of its dequantised weights. The corpus holds both, with the same values.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::backend {
namespace {

std::vector<float> logits_of(const std::string& name) {
  const auto directory = std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good" / name;
  const auto model = model::build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory)));
  const auto backend = make_mlx_backend(model, {});
  const auto state = backend->make_state();
  const std::vector<TokenId> tokens = {0, 3, 5, 7, 1};
  std::vector<float> logits(tokens.size() * static_cast<std::size_t>(model->config.vocab_size), NAN);
  const PrefillRow row{tokens, state.get(), Logits::all, logits};
  backend->prefill({&row, 1});
  return logits;
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

}  // namespace
}  // namespace xlstm::backend
