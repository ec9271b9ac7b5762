// The same network in other files: dtypes, layouts, shards; and what cannot be converted.
#include "xlstm/quantize/convert.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "tests/support/full_disk.h"
#include "tests/unit/quantize/files.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/engine/model_hash.h"

namespace xlstm::testing {
namespace {

namespace fs = std::filesystem;
using checkpoint::Layout;
using quantize::ConvertOptions;

class ConvertTest : public ScratchTest {
 protected:
  fs::path convert(const fs::path& from, std::optional<DType> dtype, std::optional<Layout> layout = {},
                   std::size_t max_shard_bytes = checkpoint::kMaxShardBytes) {
    const ConvertOptions options = {fresh(), dtype, layout, max_shard_bytes};
    report_ = quantize::convert(*checkpoint::open_directory(from), options);
    return options.output;
  }

  quantize::Report report_;
};

std::string hash_of(const fs::path& directory) {
  ThreadPool pool(2);
  return engine::model_hash(*load(directory), pool);
}

TEST_F(ConvertTest, EveryTensorHasTheDtypeAndTheValueRoundedToIt) {
  for (const fs::path& from : {bard(), bytes_mixed(), good("huggingface_mixed_dtypes"), good("huggingface_misaligned"),
                               good("huggingface_bias_fused"), good("research_cuda_float16"), good("research_tied")}) {
    for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
      SCOPED_TRACE(from.filename().string() + " to " + std::string(dtype_name(dtype)));
      const auto before = read(from), after = read(convert(from, dtype));
      ASSERT_EQ(after.tensors.size(), before.tensors.size());
      for (const auto& [name, tensor] : before.tensors) {
        const std::vector<float> wide = values(tensor);
        std::vector<std::byte> narrow(wide.size() * dtype_size(dtype));
        narrow_from_float32(dtype, wide.data(), wide.size(), narrow.data());
        const TensorView expected = {name, dtype, tensor.shape, narrow.data(), ""};
        ASSERT_TRUE(content_of(after.tensors.at(name)) == content_of(expected)) << name;
      }
      EXPECT_TRUE(after.copied.empty());
    }
  }
}

TEST_F(ConvertTest, AWiderDtypeAndBackIsTheSameFile) {
  const fs::path there = convert(bard(), DType::float32), back = convert(there, DType::bfloat16);
  EXPECT_EQ(differences(contents(back), contents(bard())), std::set<std::string>{});
  EXPECT_EQ(hash_of(back), hash_of(bard()));
  EXPECT_EQ(report_.parameters, 8'542'528);
  EXPECT_EQ(report_.bytes, 17'085'056u);
  EXPECT_EQ(report_.source_bytes, 2 * 17'085'056u);
}

TEST_F(ConvertTest, WithoutADtypeEveryTensorStaysAsItIs) {
  for (const char* name : {"huggingface_mixed_dtypes", "package_numbered", "research_bfloat16", "wide_int4",
                           "wide_int4_modules", "wide_int4_tied", "research_wide_tied_int4", "huggingface_tied"}) {
    const fs::path to = convert(good(name), std::nullopt);
    EXPECT_EQ(differences(contents(to), contents(good(name))), std::set<std::string>{}) << name;
    EXPECT_EQ(hash_of(to), hash_of(good(name))) << name;
  }
}

TEST_F(ConvertTest, KeysOfTheConfigStayButForTheDtype) {
  nlohmann::json before = read_json(bard() / "config.json");
  const fs::path to = convert(bard(), DType::float16);
  before["dtype"] = "float16";
  EXPECT_EQ(read_json(to / "config.json"), before);
  const fs::path strange = convert(good("huggingface_triton_and_integers"), DType::float16);
  EXPECT_EQ(read_json(strange / "config.json"), read_json(good("huggingface_triton_and_integers") / "config.json"));
  EXPECT_EQ(read_file(to / "tokenizer.json"), read_file(bard() / "tokenizer.json"));
  EXPECT_EQ(read_file(to / "tokenizer_config.json"), read_file(bard() / "tokenizer_config.json"));
  EXPECT_EQ(read_file(to / "generation_config.json"), read_file(bard() / "generation_config.json"));
  EXPECT_FALSE(fs::exists(to / "README.md"));
}

TEST_F(ConvertTest, ShardsHoldWhatFitsAndHaveAnIndex) {
  const fs::path to = convert(bard(), std::nullopt, std::nullopt, 3'000'000);
  const auto index = read_json(to / "model.safetensors.index.json");
  EXPECT_EQ(index["metadata"]["total_size"], 17'085'056);
  std::map<std::string, std::size_t> bytes;
  for (const auto& [name, tensor] : read(to).tensors) {
    const std::string file = index["weight_map"].at(name);
    EXPECT_EQ((to / file).string(), tensor.file);
    bytes[file] += tensor.nbytes();
  }
  EXPECT_GE(bytes.size(), 6u);
  for (const auto& [file, size] : bytes) EXPECT_LE(size, 3'000'000u) << file;
  EXPECT_EQ(differences(contents(to), contents(bard())), std::set<std::string>{});
}

TEST_F(ConvertTest, AQuantisedNetworkBecomesTheFloatNetworkOfItsValues) {
  for (const auto& [quantised, plain] :
       std::map<std::string, std::string>{{"wide_int4", "wide"},
                                          {"wide_int8", "wide"},
                                          {"wide_int4_float16", "wide"},
                                          {"wide_int4_modules", "wide"},
                                          {"research_wide_int4", "research_wide"},
                                          {"research_wide_tied_int4", "research_wide_tied"}}) {
    for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {  // all hold the values exactly
      const fs::path to = convert(good(quantised), dtype), expected = convert(good(plain), dtype);
      EXPECT_EQ(differences(contents(to), contents(expected)), std::set<std::string>{}) << quantised;
      const auto config = read_json(to / "config.json");
      EXPECT_FALSE(config.contains("quantization") || config.contains("quantization_config"));
    }
  }
}

TEST_F(ConvertTest, LayoutsHoldTheSameNetwork) {
  const std::vector<std::pair<std::string, Layout>> cases = {{"huggingface_single", Layout::package},
                                                             {"huggingface_fused", Layout::package},
                                                             {"huggingface_bias_fused", Layout::package},
                                                             {"huggingface_bfloat16", Layout::package},
                                                             {"huggingface_generation_config", Layout::package},
                                                             {"package", Layout::huggingface},
                                                             {"package_numbered", Layout::huggingface},
                                                             {"package_fused", Layout::huggingface},
                                                             {"package_no_caps", Layout::huggingface},
                                                             {"wide_int4", Layout::package},
                                                             {"wide_int4_fused", Layout::package},
                                                             {"wide_int4_modules", Layout::package},
                                                             {"wide_int4_package", Layout::huggingface}};
  for (const auto& [name, layout] : cases) {
    SCOPED_TRACE(name);
    const fs::path to = convert(good(name), std::nullopt, layout);
    const auto before = load(good(name)), after = load(to);
    EXPECT_EQ(after->config.layout, layout == Layout::package ? "package" : "huggingface");
    EXPECT_EQ(after->config.bos_token_id, before->config.bos_token_id);
    EXPECT_EQ(after->config.eos_token_ids, before->config.eos_token_ids);
    EXPECT_EQ(after->config.gate_soft_cap, before->config.gate_soft_cap);
    EXPECT_EQ(after->config.output_logit_soft_cap, before->config.output_logit_soft_cap);
    EXPECT_EQ(fs::exists(to / "config.yaml"), layout == Layout::package);
    EXPECT_EQ(fs::exists(to / "config.json"), layout == Layout::huggingface);
    const bool same_weights = name != "huggingface_bias_fused";  // which gets a bias of zeros
    EXPECT_EQ(hash_of(to) == hash_of(good(name)), same_weights);
  }
}

TEST_F(ConvertTest, ThereAndBackIsTheSameFile) {
  for (const auto& [name, layout, back_layout] :
       {std::tuple("huggingface_single", Layout::package, Layout::huggingface),
        std::tuple("package", Layout::huggingface, Layout::package),
        std::tuple("huggingface_bias", Layout::package, Layout::huggingface),
        std::tuple("wide_int4_modules", Layout::package, Layout::huggingface)}) {
    const fs::path there = convert(good(name), std::nullopt, layout), back = convert(there, std::nullopt, back_layout);
    EXPECT_EQ(differences(contents(back), contents(good(name))), std::set<std::string>{}) << name;
  }
}

// The package's config class takes its own fields and no others; its shards are counted, not indexed.
TEST_F(ConvertTest, ThePackageGetsWhatItCanRead) {
  const fs::path to = convert(bard(), std::nullopt, Layout::package, 3'000'000);
  const std::string config = read_file(to / "config.yaml");
  for (const char* line : {"embedding_dim: 256\n", "num_blocks: 8\n", "weight_mode: \"single\"\n", "eps: 1.0e-06\n",
                           "mode: \"inference\"\n", "ffn_proj_factor: 2.6667\n", "return_last_states: true\n"}) {
    EXPECT_NE(config.find(line), std::string::npos) << line << " in " << config;
  }
  for (const char* key : {"hidden_size", "model_type", "\ndtype", "bos_token_id", "architectures", "use_cache"}) {
    EXPECT_EQ(config.find(key), std::string::npos) << key << " in " << config;
  }
  EXPECT_TRUE(fs::exists(to / "model_0.safetensors"));
  EXPECT_FALSE(fs::exists(to / "model.safetensors.index.json"));
  const auto names = contents(to);
  EXPECT_TRUE(names.contains("embedding.weight"));
  EXPECT_FALSE(names.contains("backbone.embeddings.weight"));
}

TEST_F(ConvertTest, APackageWithTokenIdsKeepsThem) {
  const auto model = load(convert(good("huggingface_single"), std::nullopt, Layout::package));
  EXPECT_EQ(model->config.bos_token_id, 0);
  EXPECT_EQ(model->config.eos_token_ids, std::vector<TokenId>{2});
}

TEST_F(ConvertTest, ATiedHeadIsWrittenForThePackageWhichTiesNothing) {
  const auto tensors = contents(convert(good("huggingface_tied"), std::nullopt, Layout::package));
  EXPECT_EQ(tensors.at("lm_head.weight"), tensors.at("embedding.weight"));
}

TEST_F(ConvertTest, ThePackagesNormBiasIsAddedAsZeros) {
  const auto with = read(convert(good("huggingface_bias"), DType::float16, Layout::package));
  const TensorView& bias = with.tensors.at("backbone.out_norm.bias");
  EXPECT_EQ(bias.dtype, DType::float16);
  EXPECT_EQ(values(bias), (std::vector<float>{0, 0, 0, 0}));
}

TEST_F(ConvertTest, HuggingFaceGetsEveryKeyThatItsReadersNeed) {
  const auto config = read_json(convert(good("package"), std::nullopt, Layout::huggingface) / "config.json");
  EXPECT_EQ(config["model_type"], "xlstm");
  EXPECT_EQ(config["hidden_size"], 4);
  EXPECT_EQ(config["embedding_dim"], 4);
  EXPECT_EQ(config["num_hidden_layers"], 2);
  EXPECT_EQ(config["dtype"], "float32");
  EXPECT_EQ(config["tie_word_embeddings"], false);
  EXPECT_EQ(config["bos_token_id"], 0);
  EXPECT_EQ(config["ffn_proj_factor"], 2.0);  // as the file has it
}

TEST_F(ConvertTest, WhatTheOtherLayoutCannotHoldIsRefused) {
  const auto refuse = [&](const fs::path& from, Layout layout, const std::string& part) {
    expect_error(ErrorCode::unsupported, {"--layout", part}, [&] { convert(from, std::nullopt, layout); });
  };
  refuse(good("research"), Layout::huggingface, "block stack");
  refuse(good("research"), Layout::package, "block stack");
  refuse(good("package_no_out_norm"), Layout::huggingface, "final norm");
  refuse(good("package_bias"), Layout::huggingface, "final norm with a bias");
  EXPECT_EQ(count(), 0u);
}

// A checkpoint of one network with one tensor changed.
class ConvertValues : public ConvertTest {
 protected:
  fs::path with(const std::string& changed, std::size_t index, float value) {
    const auto checkpoint = read(good("huggingface_single"));
    std::vector<TensorView> tensors;
    for (const auto& [name, tensor] : checkpoint.tensors) tensors.push_back(tensor);
    std::vector<float> numbers = values(checkpoint.tensors.at(changed));
    numbers[index] = value;
    for (TensorView& tensor : tensors) {
      if (tensor.name == changed) tensor.data = reinterpret_cast<const std::byte*>(numbers.data());
    }
    const fs::path directory = fresh();
    fs::create_directory(directory);
    fs::copy_file(good("huggingface_single") / "config.json", directory / "config.json");
    checkpoint::write_safetensors(directory / "model.safetensors", tensors, {});
    return directory;
  }
};

TEST_F(ConvertValues, NumbersThatTheDtypeCannotHoldAreRefusedByNameAndPlace) {
  const fs::path large = with("lm_head.weight", 13, 65520.0f), largest = with("lm_head.weight", 13, 65519.0f);
  expect_error(ErrorCode::invalid_argument,
               {"model.safetensors", "\"lm_head.weight\"", "float16 can hold but got 65520 at [3, 1]"},
               [&] { convert(large, DType::float16); });
  EXPECT_EQ(values(read(convert(largest, DType::float16)).tensors.at("lm_head.weight"))[13], 65504.0f);
  EXPECT_EQ(values(read(convert(large, DType::bfloat16)).tensors.at("lm_head.weight"))[13], 65536.0f);
  const fs::path huge = with("backbone.out_norm.weight", 2, -3.4e38f);
  expect_error(ErrorCode::invalid_argument, {"\"backbone.out_norm.weight\"", "bfloat16", "at [2]"},
               [&] { convert(huge, DType::bfloat16); });
}

TEST_F(ConvertValues, WhatIsNoNumberIsRefused) {
  for (const auto& [value, word] : {std::pair(NAN, "NaN"), std::pair(-INFINITY, "infinity")}) {
    const fs::path bad = with("lm_head.weight", 13, value);
    expect_error(ErrorCode::corrupt_file, {"\"lm_head.weight\"", word, "[3, 1]"},
                 [&] { convert(bad, DType::bfloat16); });
  }
}

TEST_F(ConvertTest, AnErrorOrACancelLeavesNothing) {
  const std::atomic<bool> cancel{true};
  expect_error(ErrorCode::cancelled, {"cancelled"}, [&] {
    quantize::convert(*checkpoint::open_directory(bard()), {fresh(), DType::float32}, {{}, &cancel});
  });
  expect_error(ErrorCode::not_found, {"expected to create a directory"}, [&] {
    quantize::convert(*checkpoint::open_directory(bard()), {root_ / "no/such", DType::float32});
  });
  EXPECT_EQ(count(), 0u);
}

TEST_F(ConvertTest, AWriteThatFailsHalfWayLeavesNothing) {
  tests::expect_refused_by_a_full_disk(20 << 20, [&] { convert(bard(), DType::float32); });
  EXPECT_EQ(count(), 0u);
}

TEST_F(ConvertTest, ProgressRisesToOne) {
  std::vector<double> fractions;
  quantize::convert(*checkpoint::open_directory(bard()), {fresh(), DType::float32},
                    {[&](double fraction) { fractions.push_back(fraction); }, nullptr});
  ASSERT_GT(fractions.size(), 100u);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_GT(fractions.front(), 0);
  EXPECT_EQ(fractions.back(), 1);
}

}  // namespace
}  // namespace xlstm::testing
