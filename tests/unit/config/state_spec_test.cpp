#include "xlstm/config/state_spec.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace xlstm::config {
namespace {

ModelConfig large(std::int64_t blocks, std::int64_t heads, std::int64_t qk_head, std::int64_t v_head) {
  ModelConfig config;
  config.num_blocks = blocks;
  config.blocks.assign(static_cast<std::size_t>(blocks), BlockKind::mlstm);
  config.num_heads = heads;
  config.qk_dim = heads * qk_head;
  config.v_dim = heads * v_head;
  return config;
}

// The example of the reference's README: D 128, seven blocks, one of them sLSTM.
ModelConfig research() {
  ModelConfig config;
  config.architecture = Architecture::research;
  config.num_blocks = 7;
  config.blocks.assign(7, BlockKind::mlstm);
  config.blocks[1] = BlockKind::slstm;
  config.embedding_dim = 128;
  config.num_heads = config.slstm_num_heads = 4;
  config.qk_dim = config.v_dim = 256;
  return config;
}

// Published sizes: reference section 4.1.
TEST(StateSpec, HasThePublishedSizes) {
  EXPECT_EQ(make_state_spec(large(32, 8, 256, 512)).nbytes(), 134'480'896u);
  EXPECT_EQ(make_state_spec(large(32, 5, 256, 512)).nbytes(), 84'050'560u);
  EXPECT_EQ(make_state_spec(large(24, 4, 256, 512)).nbytes(), 50'430'336u);
  EXPECT_EQ(make_state_spec(large(12, 4, 96, 192)).nbytes(), 3'557'568u);
  EXPECT_EQ(make_state_spec(research()).nbytes(), 428'128u);
}

// 2 bytes less for each value of C.
TEST(StateSpec, ABfloat16StateHasHalfOfItsMatrixMemories) {
  EXPECT_EQ(make_state_spec(large(24, 4, 256, 512)).nbytes(DType::bfloat16), 50'430'336u - 24u * 4 * 256 * 512 * 2);
  EXPECT_EQ(make_state_spec(research()).nbytes(DType::bfloat16), 428'128u - 6u * 4 * 64 * 64 * 2);
}

TEST(StateSpec, TheFirstTensorOfAnMlstmBlockAndNoOtherIsAMatrixMemory) {
  const StateSpec spec = make_state_spec(research());
  for (std::size_t i = 0; i < spec.tensors.size(); ++i) {
    const StateTensor& tensor = spec.tensors[i];
    EXPECT_EQ(tensor.is_matrix_memory, tensor.name.ends_with(".mlstm_state.0")) << tensor.name;
    EXPECT_EQ(tensor.stored_dtype(DType::float32), DType::float32) << tensor.name;
    EXPECT_EQ(tensor.stored_dtype(DType::bfloat16), tensor.is_matrix_memory ? DType::bfloat16 : DType::float32);
  }
  for (const StateTensor& tensor : make_state_spec(large(2, 4, 32, 64)).tensors) {
    EXPECT_EQ(tensor.is_matrix_memory, tensor.name.ends_with(".c")) << tensor.name;
  }
}

TEST(StateSpec, NamesAndShapesAreThoseOfTheReference) {
  const StateSpec spec = make_state_spec(large(2, 4, 32, 64));
  ASSERT_EQ(spec.tensors.size(), 6u);
  EXPECT_EQ(spec.tensors[0].name, "0.c");
  EXPECT_EQ(spec.tensors[0].shape, (Shape{4, 32, 64}));
  EXPECT_EQ(spec.tensors[4].name, "1.n");
  EXPECT_EQ(spec.tensors[4].shape, (Shape{4, 32}));
  EXPECT_EQ(spec.tensors[5].name, "1.m");
  EXPECT_EQ(spec.tensors[5].shape, (Shape{4, 1}));
}

TEST(StateSpec, ResearchBlocksKeepTheirConvolutions) {
  ModelConfig config = research();
  const StateSpec spec = make_state_spec(config);
  EXPECT_EQ(spec.tensors[3].name, "block_0.conv_state.0");
  EXPECT_EQ(spec.tensors[3].shape, (Shape{1, 4, 256}));
  EXPECT_EQ(spec.tensors[4].name, "block_1.slstm_state.0");
  EXPECT_EQ(spec.tensors[4].shape, (Shape{4, 1, 128}));
  EXPECT_EQ(spec.tensors[5].shape, (Shape{1, 4, 128}));
  config.slstm_conv1d_kernel_size = 0;
  config.slstm_function = SlstmFunction::lstm;
  const StateSpec without = make_state_spec(config);
  EXPECT_EQ(without.tensors[4].shape, (Shape{2, 1, 128}));
  EXPECT_EQ(without.tensors[5].name, "block_2.mlstm_state.0");
}

TEST(StateSpec, TensorsAreAlignedAndDoNotOverlap) {
  for (const ModelConfig& config : {large(3, 3, 5, 7), research()}) {
    const StateSpec spec = make_state_spec(config);
    std::int64_t end = 0;
    std::set<std::string> names;
    for (const StateTensor& tensor : spec.tensors) {
      EXPECT_EQ(tensor.offset % 16, 0) << tensor.name;
      EXPECT_GE(tensor.offset, end) << tensor.name;
      EXPECT_EQ(tensor.size, shape_size(tensor.shape)) << tensor.name;
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
      end = tensor.offset + tensor.size;
    }
    EXPECT_LE(end, spec.slot_size);
    ASSERT_EQ(spec.first_tensor.size(), static_cast<std::size_t>(config.num_blocks));
    EXPECT_EQ(spec.first_tensor[0], 0u);
  }
}

}  // namespace
}  // namespace xlstm::config
