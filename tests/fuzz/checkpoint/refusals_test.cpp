// Every way a checkpoint can be wrong has a file, and every such file is refused in one clear line.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/fuzz/checkpoint/corpus.h"
#include "xlstm/base/error.h"

namespace xlstm::fuzz {
namespace {

using nlohmann::json;

// What the loader promises to refuse. A promise without a file fails the first test below.
const std::vector<std::string> kRefusals = {
    // files
    "truncated_length", "truncated_header", "truncated_data", "overlong_file", "header_over_limit", "header_not_json",
    "header_too_deep", "header_hostile_name", "offsets_overlap", "offsets_overflow", "shape_overflow", "offsets_hole",
    "offsets_hole_inside", "offsets_reversed", "offsets_wrong_size", "weights_are_a_directory",
    // tensors
    "duplicate_in_header", "index_duplicate_in_shards", "numbered_duplicate", "missing_tensor", "extra_tensor",
    "wrong_shape", "wrong_dtype", "dtype_unknown", "nan_weight", "infinite_weight", "infinite_bfloat16_weight",
    "not_enough_memory", "not_enough_memory_for_alignment",
    // index
    "index_missing_shard", "index_tensor_not_in_shard", "index_tensor_not_listed", "index_tensor_in_other_shard",
    "index_path_traversal", "index_absolute_path", "index_not_json", "index_without_weight_map", "no_weights",
    // config
    "no_config", "config_not_json", "config_too_deep", "config_duplicate_key", "config_use_bias__yes_",
    "config_num_heads_2_5", "config_eps__1", "config_num_blocks_3", "config_ffn_proj_factor_9_0",
    "config_weight_mode__double_", "yaml_anchor", "yaml_alias", "yaml_alias_bomb", "yaml_too_deep", "yaml_tag",
    // quantised layers
    "quantized_without_key", "quantization_is_a_number", "quantization_config_of_another_kind",
    "quantization_without_bits", "quantization_without_group_size", "quantization_bits_3", "quantization_group_size_16",
    "quantization_mode", "quantization_module_false", "quantization_module_bits", "quantized_other_bits",
    "quantized_other_group_size", "quantized_without_biases", "quantized_without_scales", "quantized_biases_of_floats",
    "quantized_scales_beside_floats", "quantized_scales_shape", "quantized_biases_shape", "quantized_scales_dtype",
    "quantized_biases_dtype", "quantized_words_shape", "quantized_words_rank", "quantized_gate", "quantized_norm",
    "quantized_nan_scale", "quantized_odd_width", "research_quantized_tied_but_different",
    // keys that change the architecture
    "unsupported_add_qk_norm", "unsupported_add_post_norm", "unsupported_gate_linear_headwise",
    "unsupported_chunkwise_kernel", "unsupported_model_type", "unsupported_quantization_config",
    "research_mlstm_without_conv", "research_unknown_activation", "research_unknown_function",
    "research_slstm_at_out_of_range", "research_tied_but_different"};

json refusals() {
  std::ifstream file(corpus_directory() / "checkpoint/refusals.json");
  return json::parse(file);
}

std::string code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::corrupt_file:
      return "corrupt_file";
    case ErrorCode::overloaded:
      return "overloaded";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::internal:
      return "internal";
  }
  return "?";
}

// What a program does with a checkpoint before it computes.
std::optional<Error> load_error(const json& how) {
  const auto directory = corpus_directory() / "checkpoint" / how.at("directory").get<std::string>();
  const std::size_t bytes = how.value("available_bytes", std::size_t{1} << 40);
  const checkpoint::AvailableMemory available = [bytes] { return bytes; };
  try {
    const auto checkpoint = checkpoint::read_checkpoint(*checkpoint::open_directory(directory), available);
    ThreadPool pool(1);
    if (how.value("check_weights", false)) checkpoint::check_finite(checkpoint, pool);
    model::build_model(checkpoint, available);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

TEST(Refusals, EveryPromisedRefusalHasAFileInTheCorpus) {
  const json table = refusals();
  for (const std::string& name : kRefusals) EXPECT_TRUE(table.contains(name)) << name;
}

TEST(Refusals, EveryDirectoryOfTheCorpusIsInTheTable) {
  const json table = refusals();
  for (const std::string& name : corpus_names("checkpoint")) EXPECT_TRUE(table.contains(name)) << name;
}

TEST(Refusals, EveryFileIsRefusedInOneLineThatNamesWhatIsWrong) {
  const json table = refusals();
  for (const auto& [name, how] : table.items()) {
    SCOPED_TRACE(name);
    const std::optional<Error> error = load_error(how);
    ASSERT_TRUE(error.has_value()) << "it loads";
    const std::string message = error->what();
    EXPECT_EQ(code_name(error->code()), how.at("code")) << message;
    EXPECT_EQ(message.find(corpus_directory().string()), 1u) << message;
    for (const std::string& part : how.at("expect").get<std::vector<std::string>>()) {
      EXPECT_NE(message.find(part), std::string::npos) << "no " << part << " in: " << message;
    }
    EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        << message;
    EXPECT_NE(message.find("expected"), std::string::npos) << message;
    if (std::getenv("XLSTM_SHOW_REFUSALS")) std::cout << name << ": " << message << '\n';
  }
}

// The pass over the weights is asked for: without it, and with memory enough, the same files load.
TEST(Refusals, FilesThatAreOnlyRefusedOnDemandLoadWithoutIt) {
  const json table = refusals();
  int count = 0;
  for (const auto& [name, how] : table.items()) {
    if (!how.contains("check_weights") && !how.contains("available_bytes")) continue;
    const json plain = {{"directory", how.at("directory")}};
    EXPECT_FALSE(load_error(plain).has_value()) << name;
    ++count;
  }
  EXPECT_GE(count, 5);
}

}  // namespace
}  // namespace xlstm::fuzz
