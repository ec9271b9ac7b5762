// Synthetic networks whose weights are quantised as they are made, and their way through a checkpoint and back.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/kernels/reference/affine.h"
#include "xlstm/model/load.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::model {
namespace {

namespace fs = std::filesystem;

// Groups of 64 divide every matrix but ffn_down. The embedding is larger than what one task fills.
const SyntheticShape kShape = {"tiny", 128, 2, 2, 32, 64, 96, 21000};

std::map<std::string, const Matrix*> matrices(const Model& model) {
  std::map<std::string, const Matrix*> all = {{"embedding", &model.embedding}, {"lm_head", &model.lm_head}};
  for (std::size_t b = 0; b < model.blocks.size(); ++b) {
    const auto& block = std::get<LargeBlock>(model.blocks[b]);
    const std::string prefix = std::to_string(b) + '.';
    all[prefix + "q"] = &block.q, all[prefix + "k"] = &block.k, all[prefix + "v"] = &block.v;
    all[prefix + "ogate"] = &block.ogate, all[prefix + "igate"] = &block.igate, all[prefix + "fgate"] = &block.fgate;
    all[prefix + "out_proj"] = &block.out_proj, all[prefix + "ffn_gate"] = &block.ffn_gate;
    all[prefix + "ffn_up"] = &block.ffn_up, all[prefix + "ffn_down"] = &block.ffn_down;
  }
  return all;
}

std::string bytes_of(const TensorView& view) { return {reinterpret_cast<const char*>(view.data), view.nbytes()}; }

std::string contents(const Matrix& matrix) {
  std::string all = bytes_of(matrix.weight);
  if (matrix.groups) all += '|' + bytes_of(matrix.groups->scales) + '|' + bytes_of(matrix.groups->biases);
  return all;
}

// As the oracle quantises the numbers that the dtype holds.
std::string quantised(const Matrix& plain, config::AffineFormat format) {
  const TensorView& view = plain.weight;
  std::vector<float> values(static_cast<std::size_t>(view.size()));
  widen_to_float32(view.dtype, view.data, values.size(), values.data());
  kernels::reference::AffineGroups groups;
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(format.group_size)) {
    kernels::reference::affine_quantize(&values[at], format.group_size, format.bits, groups);
  }
  const auto narrow = [&](const std::vector<float>& numbers) {
    std::string bytes(numbers.size() * dtype_size(view.dtype), '\0');
    narrow_from_float32(view.dtype, numbers.data(), numbers.size(), bytes.data());
    return bytes;
  };
  return std::string(reinterpret_cast<const char*>(groups.words.data()), groups.words.size() * 4) + '|' +
         narrow(groups.scales) + '|' + narrow(groups.biases);
}

TEST(SyntheticQuantized, IsTheFloatNetworkOfTheSameSeedQuantised) {
  const auto plain = make_synthetic(kShape, DType::bfloat16, 3);
  for (const config::AffineFormat format : {config::AffineFormat{4, 64}, config::AffineFormat{8, 64}}) {
    const auto model = make_synthetic(kShape, {DType::bfloat16, format}, 3);
    const auto floats = matrices(*plain);
    for (const auto& [name, matrix] : matrices(*model)) {
      const bool gate = name.ends_with("igate") || name.ends_with("fgate");
      const bool expected = !gate && !name.ends_with("ffn_down");
      ASSERT_EQ(matrix->groups.has_value(), expected) << name;
      EXPECT_TRUE(contents(*matrix) == (expected ? quantised(*floats.at(name), format) : contents(*floats.at(name))))
          << name;
    }
    EXPECT_EQ(model->num_parameters, plain->num_parameters);
    EXPECT_EQ(model->dtype, DType::bfloat16);
  }
}

// 7B in int4: 4.5 bits a weight, and what stays in bfloat16.
TEST(SyntheticQuantized, NeedsNoMoreMemoryThanItsWeightsTake) {
  const double parameters = 6'865'424'896, gates = 32 * 2 * 8 * (4096 + 1), norms = 32 * 3 * 4096 + 4096;
  const double bytes = (parameters - gates - norms) * 4.5 / 8 + (gates + norms) * 2;
  try {
    make_synthetic(synthetic_shape("7b"), synthetic_format("int4"), 0, [] { return std::size_t{1'000'000}; });
    FAIL() << "it was made";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
    const std::string message = error.what(), before = "expected at least ";
    const double needed = std::stod(message.substr(message.find(before) + before.size()));
    EXPECT_GE(needed, bytes);
    EXPECT_LE(needed, bytes + 64 * 600) << "what tensors are padded by";  // 600 tensors, a cache line each
  }
}

TEST(SyntheticQuantized, FormatsHaveNames) {
  for (const std::string& name : synthetic_format_names()) {
    const SyntheticFormat format = synthetic_format(name);
    EXPECT_EQ(make_synthetic({"small", 64, 1, 1, 64, 64, 64, 64}, format, 0)->weight_kinds.front().name(), name);
  }
  EXPECT_EQ(synthetic_format("int8").groups, (config::AffineFormat{8, 64}));
  EXPECT_THROW(synthetic_format("int3"), Error);
}

TEST(SyntheticQuantized, ComesBackEqualFromACheckpoint) {
  const fs::path directory = fs::temp_directory_path() / ("xlstm_synthetic_quantized_" + std::to_string(::getpid()));
  const auto model = make_synthetic(kShape, synthetic_format("int4"), 5);
  write_huggingface(*model, directory, 1'000'000);
  const auto checkpoint = checkpoint::read_checkpoint(*checkpoint::open_directory(directory));
  const auto loaded = build_model(checkpoint);
  const auto config = nlohmann::json::parse(std::ifstream(directory / "config.json"));
  EXPECT_TRUE(checkpoint.copied.empty()) << "a tensor is not aligned in its file";
  const auto expected = matrices(*model);
  for (const auto& [name, matrix] : matrices(*loaded))
    EXPECT_TRUE(contents(*matrix) == contents(*expected.at(name))) << name;
  EXPECT_EQ(loaded->weight_bytes, model->weight_bytes);
  EXPECT_EQ(config["quantization"], (nlohmann::json{{"group_size", 64}, {"bits", 4}, {"mode", "affine"}}));
  EXPECT_EQ(config["quantization_config"], config["quantization"]);
  EXPECT_EQ(config["dtype"], "bfloat16");
  fs::remove_all(directory);
}

TEST(SyntheticQuantized, AModelOfSeveralFormatsIsWrittenWithAnEntryForEach) {
  const fs::path directory = fs::temp_directory_path() / ("xlstm_several_formats_" + std::to_string(::getpid()));
  const fs::path source = fs::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good/wide_int4_modules";
  const auto model = build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(source)));
  write_huggingface(*model, directory);
  const auto loaded = build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory)));
  const auto expected = matrices(*model);
  for (const auto& [name, matrix] : matrices(*loaded))
    EXPECT_TRUE(contents(*matrix) == contents(*expected.at(name))) << name;
  EXPECT_EQ(matrices(*loaded).at("1.v")->groups->bits, 8);
  fs::remove_all(directory);
}

}  // namespace
}  // namespace xlstm::model
