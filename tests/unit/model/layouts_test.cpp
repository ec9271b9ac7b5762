// The same weights in every layout give the same network. The tiny checkpoints come from tests/fuzz/make_corpus.py.

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/kernels/reference/affine.h"
#include "xlstm/model/load.h"

namespace xlstm::model {
namespace {

const std::filesystem::path kGood = std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good";

std::shared_ptr<const Model> load(const std::string& name) {
  return build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(kGood / name)));
}

// Every number of a network, by the place where it is used.
class Flattener {
 public:
  using Table = std::map<std::string, std::vector<float>>;

  static Table of(const Model& model) {
    Flattener flat;
    flat.matrix("embedding", model.embedding);
    flat.linear("lm_head", model.lm_head);
    if (model.out_norm) flat.norm("out_norm", *model.out_norm);
    for (std::size_t i = 0; i < model.blocks.size(); ++i) {
      flat.prefix_ = std::to_string(i) + '.';
      std::visit([&](const auto& block) { flat.block(block); }, model.blocks[i]);
    }
    return flat.table_;
  }

 private:
  void add(const std::string& name, std::vector<float> values) {
    if (!values.empty()) table_[prefix_ + name] = std::move(values);
  }
  void array(const std::string& name, const FloatArray& values) {
    add(name, {values.span().begin(), values.span().end()});
  }
  void matrix(const std::string& name, const Matrix& matrix) {
    if (!matrix.groups) return array(name, FloatArray::of(matrix.weight));
    const AffineGroups& g = *matrix.groups;
    const kernels::MatrixView view = {DType::uint32,
                                      matrix.weight.data,
                                      matrix.rows(),
                                      matrix.cols(),
                                      {g.bits, g.group_size, g.scales.dtype, g.scales.data, g.biases.data}};
    std::vector<float> values;
    for (std::int64_t i = 0; i < matrix.size(); ++i) {
      values.push_back(static_cast<float>(kernels::reference::affine_value(view, i / view.cols, i % view.cols)));
    }
    add(name, std::move(values));
  }
  void linear(const std::string& name, const Linear& layer) {
    matrix(name + ".weight", layer);
    array(name + ".bias", layer.bias);
  }
  template <class Layer>
  void pair(const std::string& name, const Layer& layer) {
    array(name + ".weight", layer.weight);
    array(name + ".bias", layer.bias);
  }
  void norm(const std::string& name, const Norm& norm) { pair(name, norm); }

  void block(const LargeBlock& b) {
    norm("norm_mlstm", b.norm_mlstm), norm("multihead_norm", b.multihead_norm), norm("norm_ffn", b.norm_ffn);
    linear("q", b.q), linear("k", b.k), linear("v", b.v), linear("ogate", b.ogate);
    linear("igate", b.igate), linear("fgate", b.fgate), linear("out_proj", b.out_proj);
    linear("ffn_gate", b.ffn_gate), linear("ffn_up", b.ffn_up), linear("ffn_down", b.ffn_down);
  }
  void block(const ResearchMlstmBlock& b) {
    norm("norm", b.norm), norm("outnorm", b.outnorm), array("learnable_skip", b.learnable_skip);
    linear("proj_up", b.proj_up), linear("igate", b.igate), linear("fgate", b.fgate), linear("proj_down", b.proj_down);
    pair("conv", b.conv), pair("q", b.q), pair("k", b.k), pair("v", b.v);
  }
  void block(const ResearchSlstmBlock& b) {
    norm("norm", b.norm), norm("group_norm", b.group_norm), array("recurrent", b.recurrent), array("bias", b.bias);
    pair("igate", b.igate), pair("fgate", b.fgate), pair("zgate", b.zgate), pair("ogate", b.ogate);
    if (b.conv) pair("conv", *b.conv);
    if (b.ffn) norm("ffn.norm", b.ffn->norm), linear("ffn.up", b.ffn->up), linear("ffn.down", b.ffn->down);
  }

  std::string prefix_;
  Table table_;
};

Flattener::Table weights(const std::string& name) { return Flattener::of(*load(name)); }

// The values of a tensor as its file has them.
std::vector<float> stored(const std::string& variant, const std::string& name) {
  const auto checkpoint = checkpoint::read_checkpoint(*checkpoint::open_directory(kGood / variant));
  const FloatArray values = FloatArray::of(checkpoint.tensors.at(name));
  return {values.span().begin(), values.span().end()};
}

TEST(Layouts, HoldTheSameWeightsInDifferentFiles) {
  const std::vector<std::pair<std::string, std::string>> same = {
      {"huggingface_single", "huggingface_fused"},
      {"huggingface_bias", "huggingface_bias_fused"},
      {"huggingface_single", "huggingface_indexed"},
      {"huggingface_single", "huggingface_bfloat16"},
      {"huggingface_single", "huggingface_float16"},
      {"huggingface_single", "huggingface_mixed_dtypes"},
      {"huggingface_single", "huggingface_misaligned"},
      {"huggingface_single", "huggingface_tied_flag_with_head"},
      {"huggingface_single", "huggingface_old_names"},
      {"huggingface_single", "huggingface_triton_and_integers"},
      {"huggingface_single", "huggingface_no_out_norm_flag"},
      {"huggingface_single", "package"},
      {"package", "package_numbered"},
      {"package", "package_fused"},
      {"package", "package_no_caps"},
      {"research", "research_yaml"},
      {"research", "research_cuda"},
      {"research", "research_bfloat16"},
      {"research", "research_cuda_float16"},
      {"research", "research_negative_index"},
      {"research_all", "research_only_slstm"},
      {"research_tied", "research_tied_embedding_only"},
      {"research_tied", "research_tied_head_only"},
      {"wide", "wide_int4"},
      {"wide", "wide_int8"},
      {"wide", "wide_int4_float16"},
      {"wide", "wide_int4_fused"},
      {"wide", "wide_int4_without_mode"},
      {"wide", "wide_int4_modules"},
      {"wide", "wide_int4_package"},
      {"wide", "wide_quantization_unused"},
      {"research_wide", "research_wide_int4"},
      {"research_wide_tied", "research_wide_tied_int4"}};
  for (const auto& [one, other] : same) EXPECT_EQ(weights(one), weights(other)) << one << " and " << other;
}

TEST(Layouts, BiasesAreBoundWhereTheConfigAsksForThem) {
  const auto with = weights("huggingface_bias"), without = weights("huggingface_single");
  for (const char* name : {"q", "k", "v", "ogate", "out_proj", "ffn_gate", "ffn_up", "ffn_down", "norm_mlstm",
                           "norm_ffn", "multihead_norm"}) {
    EXPECT_TRUE(with.contains("0." + std::string(name) + ".bias")) << name;
    EXPECT_FALSE(without.contains("0." + std::string(name) + ".bias")) << name;
  }
  EXPECT_FALSE(with.contains("out_norm.bias"));
  EXPECT_TRUE(weights("package_bias").contains("out_norm.bias"));
  EXPECT_FALSE(weights("package_no_out_norm").contains("out_norm.weight"));
  const auto research = weights("research_bias");
  for (const char* name :
       {"0.proj_up.bias", "0.proj_down.bias", "0.q.bias", "0.k.bias", "0.v.bias", "1.ffn.up.bias", "1.ffn.down.bias"}) {
    EXPECT_TRUE(research.contains(name)) << name;
  }
}

TEST(Layouts, ATiedHeadIsTheEmbedding) {
  for (const char* name : {"huggingface_tied", "research_tied", "research_tied_embedding_only",
                           "research_tied_head_only", "wide_int4_tied", "research_wide_tied_int4"}) {
    const auto model = load(name);
    EXPECT_EQ(model->lm_head.weight.data, model->embedding.weight.data) << name;
    EXPECT_EQ(model->lm_head.groups.has_value(), model->embedding.groups.has_value()) << name;
  }
  EXPECT_EQ(load("research_tied")->num_parameters, load("research_tied_head_only")->num_parameters);
  const auto untied = load("huggingface_tied_flag_with_head");
  EXPECT_NE(untied->lm_head.weight.data, untied->embedding.weight.data);
  EXPECT_FALSE(untied->config.tie_weights);
}

TEST(Layouts, TheSwappedGateNamesOfTheReferenceAreResolved) {
  const auto table = weights("research");
  const std::string layer = "xlstm_block_stack.blocks.1.xlstm.";
  EXPECT_EQ(table.at("1.igate.weight"), stored("research", layer + "fgate.weight"));
  EXPECT_EQ(table.at("1.fgate.weight"), stored("research", layer + "igate.weight"));
  EXPECT_EQ(table.at("1.zgate.weight"), stored("research", layer + "zgate.weight"));
}

TEST(Layouts, NormsOfTheResearchLayoutHoldWeightMinusOne) {
  std::vector<float> expected = stored("research", "xlstm_block_stack.blocks.0.xlstm.mlstm_cell.outnorm.weight");
  for (float& value : expected) value += 1;
  EXPECT_EQ(weights("research").at("0.outnorm.weight"), expected);
}

TEST(Layouts, ThePartsOfTheResearchLayoutCanBeLeftOut) {
  EXPECT_FALSE(std::get<ResearchSlstmBlock>(load("research_slstm_no_conv")->blocks[1]).conv.has_value());
  EXPECT_FALSE(std::get<ResearchSlstmBlock>(load("research_no_ffn")->blocks[1]).ffn.has_value());
  EXPECT_TRUE(std::get<ResearchSlstmBlock>(load("research_no_group_norm_weight")->blocks[1]).group_norm.weight.empty());
  EXPECT_FALSE(load("research_no_post_norm")->out_norm.has_value());
  EXPECT_EQ(std::get<ResearchMlstmBlock>(load("research_conv_one")->blocks[0]).conv.kernel_size, 1);
  EXPECT_EQ(load("research_lstm")->config.slstm_function, config::SlstmFunction::lstm);
  EXPECT_EQ(load("research_lstm")->state_spec.tensors.at(4).shape, (Shape{2, 1, 4}));
}

TEST(Layouts, ActivationsAreThoseOfTheConfig) {
  const std::map<std::string, config::Activation> kinds = {{"research", config::Activation::gelu},
                                                           {"research_relu", config::Activation::relu},
                                                           {"research_relu_squared", config::Activation::relu_squared},
                                                           {"research_selu", config::Activation::selu},
                                                           {"research_swish", config::Activation::silu},
                                                           {"research_sigmoid", config::Activation::sigmoid}};
  for (const auto& [name, kind] : kinds) {
    EXPECT_EQ(std::get<ResearchSlstmBlock>(load(name)->blocks[1]).ffn->activation, kind) << name;
  }
}

TEST(Layouts, BlocksAreOfTheKindThatTheConfigSays) {
  const auto all = load("research_all"), only_mlstm = load("research_only_mlstm");
  for (const auto& block : all->blocks) EXPECT_TRUE(std::holds_alternative<ResearchSlstmBlock>(block));
  for (const auto& block : only_mlstm->blocks) EXPECT_TRUE(std::holds_alternative<ResearchMlstmBlock>(block));
}

TEST(Layouts, MatricesAndFloat32VectorsAreUsedInPlace) {
  const auto in_place = load("huggingface_single");
  EXPECT_EQ(in_place->mapped_bytes, in_place->weight_bytes);
  const auto half = load("huggingface_bfloat16");
  EXPECT_LT(half->mapped_bytes, half->weight_bytes);
  EXPECT_GT(half->mapped_bytes, half->weight_bytes / 2);
  EXPECT_EQ(load("huggingface_misaligned")->mapped_bytes, 0u);
  const auto fused = load("huggingface_fused");
  const auto& block = std::get<LargeBlock>(fused->blocks[0]);
  EXPECT_EQ(block.k.weight.data - block.q.weight.data, static_cast<std::ptrdiff_t>(block.q.weight.nbytes()));
}

// Every stored byte is used where it lies, lies in memory of its own, or was made into float32 values; all is counted.
TEST(Layouts, WhereWeightsLieIsCounted) {
  const auto count = [](const std::string& name, bool copy) {
    const auto files = checkpoint::open_directory(kGood / name);
    checkpoint::Checkpoint checkpoint = checkpoint::read_checkpoint(*files);
    ThreadPool pool(1);
    if (copy) checkpoint::copy_weights(checkpoint, *files, pool);
    const auto model = build_model(checkpoint);
    return std::array{model->weight_bytes, model->mapped_bytes, model->copied_bytes, model->repacked_bytes};
  };
  for (const std::string name : {"huggingface_single", "huggingface_bfloat16", "huggingface_misaligned",
                                 "research_bfloat16", "research_cuda_float16", "wide_int4"}) {
    const auto [bytes, mapped, copied, repacked] = count(name, false);
    const auto [same_bytes, none_mapped, all_copied, same_repacked] = count(name, true);
    EXPECT_EQ(same_bytes, bytes) << name;
    EXPECT_EQ(none_mapped, 0u) << name;
    EXPECT_EQ(all_copied, bytes) << name;
    EXPECT_EQ(same_repacked, repacked) << name;
    EXPECT_EQ(copied, name == "huggingface_misaligned" ? bytes : 0) << name;
    // What is 16 bits wide in the file takes twice as much as float32.
    if (name.ends_with("float16")) {
      EXPECT_EQ(repacked, 2 * (bytes - mapped)) << name;
    }
  }
  EXPECT_EQ(count("huggingface_single", false)[3], 0u);
  EXPECT_GT(count("huggingface_bfloat16", false)[3], 0u);
}

TEST(Layouts, ALayerIsQuantisedIfItHasScalesAndThenAsTheConfigSays) {
  const auto model = load("wide_int4_modules");
  const auto& block = std::get<LargeBlock>(model->blocks[1]);
  EXPECT_EQ(block.q.groups->bits, 4);
  EXPECT_EQ(block.v.groups->bits, 8);
  EXPECT_EQ(model->embedding.groups->bits, 4);
  EXPECT_FALSE(model->lm_head.groups.has_value());
  EXPECT_FALSE(block.igate.groups.has_value());
  EXPECT_EQ(block.v.weight.dtype, DType::uint32);
  EXPECT_EQ(block.v.groups->scales.dtype, DType::bfloat16);
}

TEST(Layouts, QuantisedWeightsAreUsedInPlaceAndCountedAsWeights) {
  const auto plain = load("wide"), int4 = load("wide_int4"), fused = load("wide_int4_fused");
  EXPECT_EQ(int4->num_parameters, plain->num_parameters);
  EXPECT_EQ(fused->num_parameters, plain->num_parameters);
  EXPECT_EQ(int4->mapped_bytes, int4->weight_bytes);
  // 4 bits a weight, and for each 32 of them a scale and a bias of 16 bits.
  std::int64_t quantised = 0;
  for (const WeightKind& kind : int4->weight_kinds) quantised += kind.bits == 4 ? kind.parameters : 0;
  EXPECT_EQ(plain->weight_bytes - int4->weight_bytes, static_cast<std::size_t>(quantised * 4 - quantised * 5 / 8));
  const auto& block = std::get<LargeBlock>(fused->blocks[0]);
  EXPECT_EQ(block.k.weight.data - block.q.weight.data, static_cast<std::ptrdiff_t>(block.q.weight.nbytes()));
  EXPECT_EQ(block.k.groups->scales.data - block.q.groups->scales.data,
            static_cast<std::ptrdiff_t>(block.q.groups->scales.nbytes()));
}

TEST(Layouts, KindsOfWeightsAreSummedUpTheLargestFirst) {
  const auto kinds = load("wide_int4_modules")->weight_kinds;
  ASSERT_EQ(kinds.size(), 3u);
  EXPECT_EQ(kinds[0].name(), "int4");
  EXPECT_EQ(kinds[0].group_size, 32);
  EXPECT_EQ(kinds[0].tensors, 16);  // 2 blocks of 8 layers, but for v of the second, and the embedding
  EXPECT_EQ(kinds[1].name(), "float32");
  EXPECT_EQ(kinds[2].name(), "int8");
  EXPECT_EQ(kinds[2].tensors, 1);
  EXPECT_EQ(kinds[2].parameters, 32 * 32);
  EXPECT_EQ(kinds[2].bytes, 32u * 32 + 32 * 2 * 2);
  EXPECT_EQ(load("wide_int4_modules")->dtype, DType::float32);
  const auto plain = load("huggingface_bfloat16")->weight_kinds;
  ASSERT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain[0].name(), "bfloat16");
}

TEST(Layouts, TheModelKeepsItsFilesMapped) {
  std::shared_ptr<const Model> model = load("huggingface_indexed");  // the checkpoint is gone by now
  EXPECT_EQ(Flattener::of(*model), weights("huggingface_single"));
}

}  // namespace
}  // namespace xlstm::model
