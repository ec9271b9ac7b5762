#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

const fs::path kGood = fs::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good";

Checkpoint read_good(const std::string& name) { return read_checkpoint(*open_directory(kGood / name)); }

TEST(ReadCheckpoint, TellsTheThreeLayoutsApart) {
  const std::map<std::string, Layout> layouts = {{"huggingface_single", Layout::huggingface},
                                                 {"huggingface_indexed", Layout::huggingface},
                                                 {"package", Layout::package},
                                                 {"package_numbered", Layout::package},
                                                 {"research", Layout::research},
                                                 {"research_yaml", Layout::research}};
  for (const auto& [name, layout] : layouts) EXPECT_EQ(read_good(name).layout, layout) << name;
}

TEST(ReadCheckpoint, ReadsEveryKeyThatChangesInference) {
  const config::ModelConfig config = read_good("huggingface_triton_and_integers").config;
  EXPECT_EQ(config.gate_soft_cap, 15.0f);
  EXPECT_EQ(config.output_logit_soft_cap, 30.0f);
  EXPECT_EQ(config.eos_token_ids, (std::vector<TokenId>{0, 2}));
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.norm_eps, 1e-6f);
  EXPECT_EQ(config.mlstm_eps, 1e-6f);
  EXPECT_EQ(config.chunk_size, 64);
}

TEST(ReadCheckpoint, TheTokenIdsOfTheGenerationConfigWin) {
  const config::ModelConfig config = read_good("huggingface_generation_config").config;
  EXPECT_EQ(config.bos_token_id, 1);
  EXPECT_EQ(config.eos_token_ids, (std::vector<TokenId>{3, 4}));
}

TEST(ReadCheckpoint, NullSoftCapsMeanNone) {
  const config::ModelConfig config = read_good("package_no_caps").config;
  EXPECT_FALSE(config.gate_soft_cap.has_value());
  EXPECT_FALSE(config.output_logit_soft_cap.has_value());
}

TEST(ReadCheckpoint, OnlyThePackageHonoursAddOutNorm) {
  EXPECT_FALSE(read_good("package_no_out_norm").config.add_out_norm);
  EXPECT_TRUE(read_good("huggingface_no_out_norm_flag").config.add_out_norm);
}

TEST(ReadCheckpoint, UnknownKeysAreNotedByName) {
  std::vector<std::string> notes;
  set_log_sink([&](LogLevel level, const std::string& message) {
    if (level == LogLevel::debug) notes.push_back(message);
  });
  read_good("huggingface_triton_and_integers");
  const std::size_t with_unknown = notes.size();
  notes.clear();
  read_good("huggingface_single");
  set_log_sink({});
  EXPECT_EQ(with_unknown, 2u);  // "a_key_of_the_future", "generation"
  EXPECT_TRUE(notes.empty()) << notes.front();
}

TEST(ReadCheckpoint, TensorsStayWhereTheFileIsMapped) {
  const Checkpoint aligned = read_good("huggingface_single");
  EXPECT_TRUE(aligned.copied.empty());
  const Checkpoint misaligned = read_good("huggingface_misaligned");
  EXPECT_EQ(misaligned.copied.size(), misaligned.tensors.size());
}

TEST(ReadCheckpoint, ReadsHowLayersAreQuantised) {
  const auto quantization = read_good("wide_int4_modules").quantization;
  ASSERT_TRUE(quantization.has_value());
  EXPECT_EQ(quantization->format, (config::AffineFormat{4, 32}));
  EXPECT_EQ(quantization->format_of("backbone.blocks.0.mlstm_layer.q"), (config::AffineFormat{4, 32}));
  EXPECT_EQ(quantization->format_of("backbone.blocks.1.mlstm_layer.v"), (config::AffineFormat{8, 32}));
  EXPECT_EQ(quantization->format_of("backbone.embeddings"), (config::AffineFormat{4, 32}));  // true: the general one
  EXPECT_EQ(quantization->format_of("lm_head"), std::nullopt);
  EXPECT_FALSE(read_good("wide").quantization.has_value());
  EXPECT_EQ(read_good("wide_int4_package").quantization->format, (config::AffineFormat{4, 32}));
  EXPECT_EQ(read_good("research_wide_int4").quantization->format, (config::AffineFormat{4, 32}));
}

// Whatever is released is there again when it is looked at, mapped or not.
TEST(OpenDirectory, ReleasedBytesAreReadAgain) {
  const auto directory = open_directory(fs::path(XLSTM_SOURCE_DIR) / "models/bard-8m");
  const Checkpoint checkpoint = read_checkpoint(*directory);
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::vector<std::byte> before(tensor.data, tensor.data + tensor.nbytes());
    directory->release({tensor.data, tensor.nbytes()});
    ASSERT_TRUE(std::equal(before.begin(), before.end(), tensor.data)) << name;
  }
  std::vector<std::byte> own(1 << 20, std::byte{7});
  directory->release(own);
  EXPECT_EQ(std::count(own.begin(), own.end(), std::byte{7}), 1 << 20);
}

TEST(OpenDirectory, NeedsADirectory) {
  for (const fs::path& path : {kGood / "nothing", kGood / "package" / "config.yaml"}) {
    try {
      open_directory(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_found);
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }
}

// A tensor of every float type with one bad element, at every place that the blocked search treats differently.
TEST(CheckFinite, FindsOneBadElementAnywhere) {
  ThreadPool pool(2);
  constexpr std::int64_t kSize = 3 * 4096 + 5;
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{4095}, std::int64_t{4096}, kSize - 1}) {
      for (const float value : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> values(kSize, 1.5f);
        values[static_cast<std::size_t>(bad)] = value;
        std::vector<std::byte> stored(kSize * dtype_size(dtype));
        narrow_from_float32(dtype, values.data(), kSize, stored.data());
        Checkpoint checkpoint;
        checkpoint.tensors["w"] = {"w", dtype, {kSize}, stored.data(), "file"};
        try {
          check_finite(checkpoint, pool);
          ADD_FAILURE() << dtype_name(dtype) << ' ' << bad << ' ' << value;
        } catch (const Error& error) {
          const std::string expected = std::string("[file] tensor \"w\": expected finite weights but got ") +
                                       (std::isnan(value) ? "NaN" : "infinity") + " at [" + std::to_string(bad) + "]";
          EXPECT_EQ(error.what(), expected);
        }
      }
    }
  }
}

// Many pieces and threads, a bad element in several: the first by name, then by place, is told.
TEST(CheckFinite, TellsTheFirstBadElementWhoeverFindsIt) {
  constexpr std::int64_t kSize = 5'000'000;
  std::vector<float> good(kSize, 1), bad(kSize, 1);
  bad[3'000'001] = bad[3'000'002] = bad[4'999'999] = INFINITY;
  const auto view = [](const char* name, const std::vector<float>& values) {
    return TensorView{name, DType::float32, {5, kSize / 5}, reinterpret_cast<const std::byte*>(values.data()), "file"};
  };
  Checkpoint checkpoint;
  checkpoint.tensors = {{"a", view("a", good)}, {"b", view("b", bad)}, {"c", view("c", bad)}};
  ThreadPool pool(3);
  for (int attempt = 0; attempt < 20; ++attempt) {
    try {
      check_finite(checkpoint, pool);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "[file] tensor \"b\": expected finite weights but got infinity at [3, 1]");
    }
  }
}

TEST(CheckFinite, AcceptsTheLargestNumbersOfEachType) {
  const std::vector<std::uint16_t> bfloat16 = {0x7f7f, 0xff7f, 0x0001, 0x8000},
                                   float16 = {0x7bff, 0xfbff, 0x0001, 0x8000};
  const std::vector<float> float32 = {3.4028235e38f, -3.4028235e38f, 1e-45f, -0.0f};
  const auto view = [](DType dtype, const void* data) {
    return TensorView{"w", dtype, {4}, static_cast<const std::byte*>(data), "f"};
  };
  for (const TensorView& tensor : {view(DType::bfloat16, bfloat16.data()), view(DType::float16, float16.data()),
                                   view(DType::float32, float32.data()), view(DType::int32, float32.data())}) {
    Checkpoint checkpoint;
    checkpoint.tensors["w"] = tensor;
    ThreadPool pool(1);
    EXPECT_NO_THROW(check_finite(checkpoint, pool)) << dtype_name(tensor.dtype);
  }
}

}  // namespace
}  // namespace xlstm::checkpoint
