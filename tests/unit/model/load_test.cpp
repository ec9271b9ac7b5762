#include "xlstm/model/load.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <variant>

#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::model {
namespace {

const std::filesystem::path kRoot = XLSTM_SOURCE_DIR;

std::shared_ptr<const Model> load(const std::filesystem::path& directory) {
  return build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory)));
}

TEST(LoadModel, ReadsTheEmbeddedHuggingFaceModel) {
  const auto model = load(kRoot / "models/bard-8m");
  const config::ModelConfig& config = model->config;
  EXPECT_EQ(config.layout, "huggingface");
  EXPECT_EQ(config.vocab_size, 4096);
  EXPECT_EQ(config.embedding_dim, 256);
  EXPECT_EQ(config.num_blocks, 8);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.qk_dim, 128);
  EXPECT_EQ(config.v_dim, 256);
  EXPECT_EQ(config.ffn_dim, 704);
  EXPECT_EQ(config.gate_soft_cap, 15.0f);
  EXPECT_EQ(config.output_logit_soft_cap, 30.0f);
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.eos_token_ids, std::vector<TokenId>{0});
  EXPECT_TRUE(config.force_bos_token_insert);
  EXPECT_EQ(model->num_parameters, 8'542'528);
  EXPECT_EQ(model->weight_bytes, 17'085'056u);
  EXPECT_EQ(model->dtype, DType::bfloat16);
  ASSERT_EQ(model->blocks.size(), 8u);
  const auto& block = std::get<LargeBlock>(model->blocks[7]);
  EXPECT_EQ(block.ffn_down.weight.shape, (Shape{256, 704}));
  EXPECT_EQ(block.igate.bias.size(), 4u);
  EXPECT_TRUE(block.q.bias.empty());
  EXPECT_TRUE(model->out_norm.has_value());
}

TEST(LoadModel, ReadsTheResearchModel) {
  const auto model = load(kRoot / "tests/data/bytes-mixed-1.5m");
  const config::ModelConfig& config = model->config;
  EXPECT_EQ(config.layout, "research");
  EXPECT_EQ(config.architecture, config::Architecture::research);
  EXPECT_EQ(config.vocab_size, 256);
  EXPECT_EQ(config.embedding_dim, 192);
  EXPECT_EQ(config.v_dim, 384);
  EXPECT_EQ(config.qk_dim, 384);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.slstm_num_heads, 4);
  EXPECT_EQ(config.slstm_ffn_dim, 256);
  EXPECT_EQ(config.norm_eps, 1e-5f);
  EXPECT_FALSE(config.bos_token_id.has_value());
  EXPECT_EQ(model->num_parameters, 1'497'056);
  ASSERT_EQ(model->blocks.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(std::holds_alternative<ResearchSlstmBlock>(model->blocks[i]), i == 1 || i == 4) << i;
  }
}

}  // namespace
}  // namespace xlstm::model
