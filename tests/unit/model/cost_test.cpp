// What a network must move and compute, against counts made another way.
#include "xlstm/model/cost.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::model {
namespace {

std::shared_ptr<const Model> mixed_model() {
  return build_model(
      checkpoint::read_checkpoint(*checkpoint::open_directory(XLSTM_SOURCE_DIR "/tests/data/bytes-mixed-1.5m")));
}

/// Widths that are multiples of nothing; two blocks, so that a sum over blocks shows.
std::shared_ptr<const Model> large_model(DType dtype = DType::float32) {
  return make_synthetic({"odd", 48, 2, 3, 7, 11, 130, 71}, dtype, 0);
}

double embedding_row(const Model& model) {
  return static_cast<double>(model.config.embedding_dim) *
         static_cast<double>(dtype_size(model.embedding.weight.dtype));
}

TEST(Cost, EveryOperationHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t op = 0; op < kNumOps; ++op) names.insert(op_name(Op(op)));
  EXPECT_EQ(names.size(), kNumOps);
  EXPECT_EQ(op_name(Op::embed), "embed");
  EXPECT_EQ(op_name(Op::qkv_gates), "qkv_gates");
  EXPECT_EQ(op_name(Op::head), "head");
}

// All weights but the embedding once; for each row a row of the embedding, and the state in and out.
TEST(Cost, AStepReadsEveryWeightOnceAndMovesEveryState) {
  for (const auto& model : {large_model(), mixed_model()}) {
    ASSERT_EQ(model->dtype, DType::float32);  // so that nothing that is widened counts twice
    const auto weights = static_cast<double>(model->weight_bytes - model->embedding.nbytes());
    for (const int batch : {1, 2, 7}) {
      const double rows = embedding_row(*model) + 2.0 * static_cast<double>(model->state_spec.nbytes());
      EXPECT_EQ(decode_step_bytes(*model, batch), weights + batch * rows);
    }
  }
}

TEST(Cost, HalfTheBytesOfAMatrixInBfloat16) {
  const Costs wide = decode_costs(*large_model(), 1), narrow = decode_costs(*large_model(DType::bfloat16), 1);
  for (const Op op : {Op::embed, Op::out_projection, Op::ffn_up_gate, Op::ffn_down, Op::head}) {
    EXPECT_EQ(narrow[op].bytes, wide[op].bytes / 2) << op_name(op);
  }
  EXPECT_EQ(narrow[Op::mlstm_cell].bytes, wide[Op::mlstm_cell].bytes);
}

// Two blocks of width 48 with 3 heads of 7 and 11, an FFN of 130, 71 words.
TEST(Cost, OperationsOfALargeBlock) {
  const auto model = large_model();
  const Costs costs = decode_costs(*model, 3);
  const double qk = 21, v = 33, dim = 48, heads = 3, ffn = 130;
  EXPECT_EQ(costs[Op::qkv_gates].flops, 3 * 2 * 2 * dim * (2 * qk + 2 * v + 2 * heads));
  EXPECT_EQ(costs[Op::out_projection].flops, 3 * 2 * 2 * dim * v);
  EXPECT_EQ(costs[Op::ffn_up_gate].flops, 3 * 2 * 2 * dim * 2 * ffn);
  EXPECT_EQ(costs[Op::ffn_down].flops, 3 * 2 * 2 * dim * ffn);
  EXPECT_EQ(costs[Op::head].flops, 3 * 2 * dim * 71);
  EXPECT_EQ(costs[Op::mlstm_cell].bytes, 3 * 2 * 2 * heads * (7 * 11 + 7 + 1) * 4);
  EXPECT_EQ(costs[Op::norm].bytes, (2 * 2 + 1) * dim * 4);
  EXPECT_EQ(costs[Op::slstm_scan].bytes, 0);
}

// Reference section 2.4, the table of a head of 256 x 512: thousands of FLOP a token.
TEST(Cost, ACellIsCountedAsTheReferenceCounts) {
  const auto model = make_synthetic({"head", 64, 1, 1, 256, 512, 64, 64}, DType::bfloat16, 0);
  ASSERT_EQ(model->config.chunk_size, 64);
  EXPECT_NEAR(decode_costs(*model, 1)[Op::mlstm_cell].flops, 789e3, 0.5e3);
  EXPECT_NEAR(prefill_costs(*model, 1, 64, 64)[Op::mlstm_cell].flops / 64, 580e3, 0.5e3);
  EXPECT_NEAR(prefill_costs(*model, 1, 16, 64)[Op::mlstm_cell].flops / 16, 556e3, 0.5e3);
  EXPECT_EQ(
      prefill_costs(*model, 1, 80, 64)[Op::mlstm_cell].flops,
      prefill_costs(*model, 1, 64, 64)[Op::mlstm_cell].flops + prefill_costs(*model, 1, 16, 64)[Op::mlstm_cell].flops);
}

TEST(Cost, PrefillComputesTheHeadOnceAndTheRestForEveryToken) {
  for (const auto& model : {large_model(), mixed_model()}) {
    const Costs step = decode_costs(*model, 1), prefill = prefill_costs(*model, 1, 100, 256);
    for (std::size_t i = 0; i < kNumOps; ++i) {
      const Op op{static_cast<std::uint8_t>(i)};
      if (op == Op::mlstm_cell) continue;  // chunkwise: other sums
      EXPECT_EQ(prefill[op].flops, op == Op::head ? step[op].flops : 100 * step[op].flops) << op_name(op);
    }
    EXPECT_EQ(prefill.total().flops, prefill_flops(*model, 100));
  }
}

TEST(Cost, EverySegmentReadsTheWeightsAgain) {
  const auto model = large_model();
  const Costs one = prefill_costs(*model, 1, 256, 256), two = prefill_costs(*model, 1, 257, 256);
  for (const Op op : {Op::norm, Op::qkv_gates, Op::mlstm_cell}) EXPECT_EQ(two[op].bytes, 2 * one[op].bytes);
  EXPECT_EQ(two[Op::head].bytes, one[Op::head].bytes);
  EXPECT_EQ(two[Op::embed].bytes, one[Op::embed].bytes + embedding_row(*model));
}

TEST(Cost, RowsOfAPrefillCostTheSame) {
  const auto model = mixed_model();
  const Cost one = prefill_costs(*model, 1, 70, 256).total(), three = prefill_costs(*model, 3, 70, 256).total();
  EXPECT_EQ(three.bytes, 3 * one.bytes);
  EXPECT_EQ(three.flops, 3 * one.flops);
}

TEST(Cost, NoTokensCostNoFlopsButTheHeads) {
  const auto model = large_model();
  EXPECT_EQ(prefill_flops(*model, 0), 2.0 * static_cast<double>(model->lm_head.size()));
}

}  // namespace
}  // namespace xlstm::model
