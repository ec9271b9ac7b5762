// Synthetic networks: shapes, numbers, reproducibility, and the way through a checkpoint and back.
#include "xlstm/model/synthetic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "tests/support/expect_error.h"
#include "xlstm/base/error.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::model {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Widths for which no usual factor is right, so that write_huggingface must find its own.
const SyntheticShape kTiny = {"tiny", 48, 3, 3, 7, 11, 130, 71};

using tests::expect_error;

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<std::size_t>(view.size()));
  widen_to_float32(view.dtype, view.data, values.size(), values.data());
  return values;
}

// Calls visit(matrix) and vector(values) for everything in the network, in a fixed order.
void visit(const Model& model, const std::function<void(const TensorView&)>& matrix,
           const std::function<void(const FloatArray&)>& vector) {
  matrix(model.embedding.weight);
  for (const Block& any : model.blocks) {
    const auto& block = std::get<LargeBlock>(any);
    for (const Linear* layer : {&block.q, &block.k, &block.v, &block.ogate, &block.igate, &block.fgate, &block.out_proj,
                                &block.ffn_gate, &block.ffn_up, &block.ffn_down}) {
      matrix(layer->weight);
      vector(layer->bias);
    }
    for (const Norm* norm : {&block.norm_mlstm, &block.multihead_norm, &block.norm_ffn}) {
      vector(norm->weight);
      vector(norm->bias);
    }
  }
  vector(model.out_norm->weight);
  matrix(model.lm_head.weight);
}

// All bytes of the matrices and all values of the vectors.
std::string contents(const Model& model) {
  std::string all;
  visit(
      model,
      [&](const TensorView& view) {
        all += shape_to_string(view.shape) + std::string(dtype_name(view.dtype));
        all.append(reinterpret_cast<const char*>(view.data), view.nbytes());
      },
      [&](const FloatArray& values) {
        all += '|';
        all.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
      });
  return all;
}

class SyntheticFiles : public testing::TestWithParam<DType> {
 protected:
  SyntheticFiles() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("xlstm_") + test->name() + '_' + std::to_string(::getpid());
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = fs::temp_directory_path() / name / "new" / "model";
  }
  ~SyntheticFiles() override { fs::remove_all(directory_.parent_path().parent_path()); }
  std::shared_ptr<const Model> load() const {
    return build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory_)));
  }
  nlohmann::json config() const { return nlohmann::json::parse(std::ifstream(directory_ / "config.json")); }

  fs::path directory_;
};

TEST(Synthetic, HasTheShapesOfTheReference) {
  EXPECT_THAT(synthetic_names(), testing::ElementsAre("7b", "2.7b", "1.3b", "165m", "step64"));
  const SyntheticShape shape = synthetic_shape("2.7b");
  EXPECT_EQ(shape.embedding_dim, 2560);
  EXPECT_EQ(shape.num_heads, 5);
  EXPECT_EQ(shape.ffn_dim, 6848);
  expect_error(ErrorCode::invalid_argument, "expected one of 7b, 2.7b, 1.3b, 165m, step64 but got \"8b\"",
               [] { make_synthetic("8b", DType::float32, 0); });
}

// 6,865,424,896 parameters of the published 7B model (reference 1.2), 4 bytes each, and 64 gate biases of 8 numbers
// that are padded to a cache line (32 bytes more each).
TEST(Synthetic, WithoutMemoryIsRefusedBeforeAnythingIsAllocated) {
  const std::size_t bytes = 6'865'424'896 * 4 + 64 * 32;
  for (const std::size_t left : {std::size_t{0}, bytes - 1}) {
    expect_error(ErrorCode::overloaded, "expected at least " + std::to_string(bytes) + " bytes",
                 [&] { make_synthetic(synthetic_shape("7b"), DType::float32, 0, [&] { return left; }); });
  }
}

TEST(Synthetic, RefusesATypeThatWeightsCannotHave) {
  expect_error(ErrorCode::invalid_argument, "but got int8", [] { make_synthetic(kTiny, DType::int8, 0); });
}

TEST(Synthetic, DescribesItself) {
  const auto model = make_synthetic(kTiny, DType::bfloat16, 1);
  EXPECT_EQ(model->config.num_blocks, 3);
  EXPECT_EQ(model->config.qk_dim, 21);
  EXPECT_EQ(model->config.v_dim, 33);
  EXPECT_EQ(model->config.ffn_dim, 130);
  EXPECT_EQ(model->config.vocab_size, 71);
  EXPECT_EQ(model->dtype, DType::bfloat16);
  EXPECT_EQ(model->weight_bytes, static_cast<std::size_t>(model->num_parameters) * 2);
  EXPECT_EQ(model->state_spec.tensors.size(), 9u);
}

TEST(Synthetic, MatricesAreUniformWithVarianceOneOverIn) {
  SyntheticShape shape = kTiny;
  shape.vocab_size = 4001;
  const auto model = make_synthetic(shape, DType::float32, 5);
  visit(
      *model,
      [](const TensorView& view) {
        const std::vector<float> values = values_of(view);
        const double in = static_cast<double>(view.shape[1]), limit = std::sqrt(3 / in);
        double mean = 0, square = 0;
        for (const float value : values) {
          ASSERT_LT(std::abs(value), limit);
          mean += value;
          square += static_cast<double>(value) * value;
        }
        const double n = static_cast<double>(values.size());
        // Five standard errors: of the mean sqrt(v / n), of the mean square sqrt((9/5 - 1) v^2 / n).
        EXPECT_NEAR(mean / n, 0, 5 * std::sqrt(1 / in / n)) << view.name;
        EXPECT_NEAR(square / n, 1 / in, 5 * std::sqrt(0.8 / n) / in) << view.name;
      },
      [](const FloatArray&) {});
}

TEST(Synthetic, VectorsAreThoseOfATrainedModel) {
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    const auto model = make_synthetic(kTiny, dtype, 5);
    for (const Block& any : model->blocks) {
      const auto& block = std::get<LargeBlock>(any);
      EXPECT_THAT(block.igate.bias.span(), testing::Each(-10.0f));
      EXPECT_THAT(block.fgate.bias.span(), testing::ElementsAre(3.0f, 4.5f, 6.0f));
      EXPECT_THAT(block.norm_mlstm.weight.span(), testing::Each(1.0f));
      EXPECT_THAT(block.multihead_norm.weight.span(), testing::Each(1.0f));
    }
  }
}

TEST(Synthetic, IsReproducibleAndDependsOnTheSeed) {
  const std::string first = contents(*make_synthetic(kTiny, DType::bfloat16, 1));
  EXPECT_TRUE(first == contents(*make_synthetic(kTiny, DType::bfloat16, 1)));
  EXPECT_FALSE(first == contents(*make_synthetic(kTiny, DType::bfloat16, 2)));
}

TEST(Synthetic, NoTwoTensorsAreAlike) {
  const auto model = make_synthetic(kTiny, DType::float32, 1);
  const auto& block = std::get<LargeBlock>(model->blocks[0]);
  const auto& next = std::get<LargeBlock>(model->blocks[1]);
  EXPECT_NE(values_of(block.q.weight), values_of(block.k.weight));
  EXPECT_NE(values_of(block.q.weight), values_of(next.q.weight));
  EXPECT_NE(values_of(model->embedding.weight), values_of(model->lm_head.weight));
}

TEST(Synthetic, NarrowTypesHoldTheSameNumbersRounded) {
  const auto exact = make_synthetic(kTiny, DType::float32, 9);
  for (const DType dtype : {DType::float16, DType::bfloat16}) {
    const auto narrow = make_synthetic(kTiny, dtype, 9);
    std::vector<float> expected = values_of(exact->embedding.weight);
    std::vector<std::uint16_t> bits(expected.size());
    narrow_from_float32(dtype, expected.data(), expected.size(), bits.data());
    EXPECT_EQ(std::memcmp(bits.data(), narrow->embedding.weight.data, bits.size() * 2), 0) << dtype_name(dtype);
  }
}

TEST(Synthetic, LargeMatricesAreFilledToTheLastElement) {
  // given a matrix of several parts (1,310,720 elements each) whose last one ends in the middle of a random word
  const SyntheticShape shape = {"wide", 64, 1, 1, 8, 8, 64, 41'003};
  const auto model = make_synthetic(shape, DType::bfloat16, 3);
  // then no number is zero, as untouched memory would be: the levels are odd multiples of a step
  for (const TensorView* view : {&model->embedding.weight, &model->lm_head.weight}) {
    const std::vector<float> values = values_of(*view);
    EXPECT_EQ(std::count(values.begin(), values.end(), 0.0f), 0);
  }
}

TEST_P(SyntheticFiles, ComeBackEqual) {
  const auto model = make_synthetic(kTiny, GetParam(), 4);
  write_huggingface(*model, directory_);
  const auto loaded = load();
  EXPECT_TRUE(contents(*loaded) == contents(*model));
  EXPECT_EQ(loaded->num_parameters, model->num_parameters);
  EXPECT_EQ(loaded->weight_bytes, model->weight_bytes);
  EXPECT_EQ(loaded->config.layout, model->config.layout);
  EXPECT_EQ(loaded->config.num_heads, model->config.num_heads);
  EXPECT_EQ(loaded->config.norm_eps, model->config.norm_eps);
  EXPECT_EQ(loaded->config.mlstm_eps, model->config.mlstm_eps);
  EXPECT_EQ(loaded->config.gate_soft_cap, model->config.gate_soft_cap);
  EXPECT_EQ(loaded->config.output_logit_soft_cap, model->config.output_logit_soft_cap);
  EXPECT_EQ(loaded->config.chunk_size, model->config.chunk_size);
  EXPECT_EQ(loaded->config.bos_token_id, model->config.bos_token_id);
  EXPECT_EQ(loaded->config.eos_token_ids, model->config.eos_token_ids);
  EXPECT_TRUE(fs::exists(directory_ / "model.safetensors"));
}

TEST_P(SyntheticFiles, ShardsHaveAnIndexAndComeBackEqual) {
  const auto model = make_synthetic(kTiny, GetParam(), 4);
  write_huggingface(*model, directory_, 20'000);
  EXPECT_TRUE(contents(*load()) == contents(*model));
  const auto index = nlohmann::json::parse(std::ifstream(directory_ / "model.safetensors.index.json"));
  EXPECT_EQ(index.at("metadata").at("total_size"), model->weight_bytes);
  EXPECT_EQ(index.at("weight_map").size(), 1u + 3 * 15 + 2);
  for (const auto& [tensor, file] : index.at("weight_map").items()) {
    EXPECT_TRUE(fs::exists(directory_ / file.get<std::string>())) << tensor;
  }
}

TEST_P(SyntheticFiles, ConfigHasEveryKeyOfThePublishedOnes) {
  const auto model = make_synthetic(kTiny, GetParam(), 4);
  write_huggingface(*model, directory_);
  const auto published = nlohmann::json::parse(std::ifstream(XLSTM_SOURCE_DIR "/models/bard-8m/config.json"));
  const auto written = config();
  for (const auto& [key, value] : published.items()) {
    if (key == "transformers_version") continue;  // names the program that wrote it
    EXPECT_TRUE(written.contains(key)) << key;
  }
  EXPECT_EQ(written.at("dtype"), std::string(dtype_name(GetParam())));
}

TEST_P(SyntheticFiles, MayBeWrittenTwiceButNotAmongOtherWeights) {
  const auto model = make_synthetic(kTiny, GetParam(), 4);
  write_huggingface(*model, directory_);
  write_huggingface(*make_synthetic(kTiny, GetParam(), 6), directory_);
  EXPECT_TRUE(contents(*load()) == contents(*make_synthetic(kTiny, GetParam(), 6)));
  expect_error(ErrorCode::invalid_argument, "without other weights but got model.safetensors",
               [&] { write_huggingface(*model, directory_, 20'000); });
}

INSTANTIATE_TEST_SUITE_P(DTypes, SyntheticFiles, testing::Values(DType::float32, DType::float16, DType::bfloat16),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

class WriteHuggingface : public SyntheticFiles {};

// Widths of the published models are written with the factors of published configs.
TEST_F(WriteHuggingface, UsesTheUsualFactorsWhereTheyFit) {
  const SyntheticShape shape = {"usual", 128, 1, 2, 32, 64, 384, 64};
  write_huggingface(*make_synthetic(shape, DType::bfloat16, 0), directory_);
  EXPECT_EQ(config().at("ffn_proj_factor"), 2.6667);
  EXPECT_EQ(config().at("ffn_round_up_to_multiple_of"), 64);
  EXPECT_EQ(config().at("qk_dim_factor"), 0.5);
  EXPECT_EQ(config().at("v_dim_factor"), 1.0);
  EXPECT_EQ(config().at("norm_eps"), 1e-6);
}

TEST_F(WriteHuggingface, CopiesAModelThatWasRead) {
  const auto bard =
      build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(XLSTM_SOURCE_DIR "/models/bard-8m")));
  write_huggingface(*bard, directory_);
  const auto copy = load();
  EXPECT_TRUE(contents(*copy) == contents(*bard));
  EXPECT_EQ(copy->weight_bytes, bard->weight_bytes);
}

TEST_F(WriteHuggingface, RefusesAnotherArchitecture) {
  const auto research = build_model(
      checkpoint::read_checkpoint(*checkpoint::open_directory(XLSTM_SOURCE_DIR "/tests/data/bytes-mixed-1.5m")));
  expect_error(ErrorCode::unsupported, "block stack", [&] { write_huggingface(*research, directory_); });
  EXPECT_FALSE(fs::exists(directory_));
}

TEST_F(WriteHuggingface, RefusesADirectoryThatCannotBeMade) {
  const auto model = make_synthetic(kTiny, DType::bfloat16, 0);
  fs::create_directories(directory_.parent_path());
  std::ofstream(directory_) << "a file";
  expect_error(ErrorCode::internal, directory_.string(), [&] { write_huggingface(*model, directory_ / "below"); });
}

}  // namespace
}  // namespace xlstm::model
