// Which tensors are quantised, that the bits are the oracle's, and what is refused.
#include "xlstm/quantize/quantize.h"

#include <cmath>
#include <optional>

#include "tests/unit/quantize/files.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/kernels/reference/affine.h"
#include "xlstm/quantize/convert.h"

namespace xlstm::testing {
namespace {

namespace fs = std::filesystem;
using quantize::QuantizeOptions;
using quantize::QuantizeReport;
using quantize::Scales;

class QuantizeTest : public ScratchTest {
 protected:
  fs::path quantise(const fs::path& from, QuantizeOptions options = {}, Scales scales = Scales::mlx) {
    options.output = fresh();
    options.scales = scales;
    report_ = quantize::quantize(*checkpoint::open_directory(from), options);
    return options.output;
  }
  // Why a tensor stays as it is.
  std::string reason(const std::string& tensor) const {
    for (const quantize::Kept& kept : report_.kept) {
      if (kept.tensor == tensor) return kept.reason;
    }
    return "";
  }

  QuantizeReport report_;
};

// The bytes of a matrix that was quantised by the oracle.
void expect_oracle(const TensorView& from, const checkpoint::Checkpoint& to, const QuantizeOptions& options) {
  const std::string module = from.name.substr(0, from.name.rfind('.'));
  const std::vector<float> w = values(from);
  kernels::reference::AffineGroups expected;
  for (std::size_t at = 0; at < w.size(); at += static_cast<std::size_t>(options.format.group_size)) {
    kernels::reference::affine_quantize(&w[at], options.format.group_size, options.format.bits, expected);
  }
  const auto parameters = [&](const std::string& part, const std::vector<float>& numbers) {
    std::vector<std::byte> bytes(numbers.size() * dtype_size(options.scale_dtype));
    narrow_from_float32(options.scale_dtype, numbers.data(), numbers.size(), bytes.data());
    const Shape shape = {from.shape[0], from.shape[1] / options.format.group_size};
    const TensorView view = {"", options.scale_dtype, shape, bytes.data(), ""};
    EXPECT_TRUE(content_of(to.tensors.at(module + part)) == content_of(view)) << module << part;
  };
  parameters(".scales", expected.scales);
  parameters(".biases", expected.biases);
  const Shape shape = {from.shape[0], from.shape[1] * options.format.bits / 32};
  const TensorView words = {"", DType::uint32, shape, reinterpret_cast<const std::byte*>(expected.words.data()), ""};
  EXPECT_TRUE(content_of(to.tensors.at(from.name)) == content_of(words)) << from.name;
}

TEST_F(QuantizeTest, MatricesHaveTheOraclesBitsAndAllElseStaysAsItIs) {
  for (const fs::path& from : {bard(), bytes_mixed(), good("wide"), good("research_wide_tied")}) {
    for (const QuantizeOptions& options :
         {QuantizeOptions{{}, {4, 64}}, QuantizeOptions{{}, {8, 32}, DType::float32},
          QuantizeOptions{{}, {4, 32}, DType::float16}, QuantizeOptions{{}, {8, 128}}}) {
      SCOPED_TRACE(from.filename().string() + ", groups of " + std::to_string(options.format.group_size));
      const bool narrow = from != bard() && from != bytes_mixed();
      if (narrow && options.format.group_size != 32) continue;  // no wider group divides them
      const auto before = read(from);
      const auto after = read(quantise(from, options));
      std::size_t expected_count = before.tensors.size();
      for (const auto& [name, tensor] : before.tensors) {
        if (reason(name).empty()) {
          expect_oracle(tensor, after, options);
          expected_count += 2;
        } else {
          EXPECT_TRUE(content_of(after.tensors.at(name)) == content_of(tensor)) << name;
        }
      }
      EXPECT_EQ(after.tensors.size(), expected_count);
      EXPECT_TRUE(after.copied.empty()) << "a tensor is not aligned in its file";
    }
  }
}

// Sum of squares of what `to` misses of the weights `from`, for each quantised matrix.
std::map<std::string, double> squared_errors(const fs::path& from, const fs::path& to) {
  const auto before = read(from), after = read(to);
  std::map<std::string, double> errors;
  for (const auto& [name, tensor] : before.tensors) {
    const std::string module = name.substr(0, name.rfind('.'));
    if (!name.ends_with(".weight") || !after.tensors.contains(module + ".scales")) continue;
    const TensorView& words = after.tensors.at(name);
    const std::vector<float> w = values(tensor);
    const std::int64_t cols = tensor.shape[1];
    const int bits = static_cast<int>(words.shape[1] * 32 / cols);
    const TensorView &scales = after.tensors.at(module + ".scales"), &biases = after.tensors.at(module + ".biases");
    const kernels::MatrixView view = {words.dtype,
                                      words.data,
                                      tensor.shape[0],
                                      cols,
                                      {bits, cols / scales.shape[1], scales.dtype, scales.data, biases.data}};
    double& sum = errors[name];
    for (std::int64_t i = 0; i < std::ssize(w); ++i) {
      const double miss = static_cast<double>(w[static_cast<std::size_t>(i)]) -
                          kernels::reference::affine_value(view, i / cols, i % cols);
      sum += miss * miss;
    }
  }
  return errors;
}

TEST_F(QuantizeTest, SearchedScalesAreNearerInEveryMatrix) {
  for (const fs::path& from : {bard(), bytes_mixed(), good("wide")}) {
    for (const int bits : {4, 8}) {
      const std::int64_t group = from == good("wide") ? 32 : 64;
      const auto mlx = squared_errors(from, quantise(from, {{}, {bits, group}}));
      const auto searched = squared_errors(from, quantise(from, {{}, {bits, group}}, Scales::search));
      ASSERT_EQ(searched.size(), mlx.size());
      for (const auto& [name, error] : searched) {
        EXPECT_LT(error, (bits == 4 ? 0.9 : 0.7) * mlx.at(name)) << name << ", " << bits << " bits";
      }
    }
  }
}

TEST_F(QuantizeTest, TheSameSearchGivesTheSameFile) {
  const auto search = [&] { return contents(quantise(bytes_mixed(), {}, Scales::search)); };
  EXPECT_EQ(differences(search(), search()), std::set<std::string>{});
}

TEST_F(QuantizeTest, WhatStaysIsListedWithItsReason) {
  quantise(bard(), {{}, {4, 128}});
  const std::string block = "backbone.blocks.3.";
  EXPECT_EQ(reason(block + "mlstm_layer.igate_preact.weight"), "a gate");
  EXPECT_EQ(reason(block + "mlstm_layer.fgate_preact.weight"), "a gate");
  EXPECT_EQ(reason(block + "mlstm_layer.igate_preact.bias"), "a bias");
  EXPECT_EQ(reason(block + "norm_ffn.weight"), "a norm");
  EXPECT_EQ(reason(block + "mlstm_layer.multihead_norm.weight"), "a norm");
  EXPECT_EQ(reason(block + "ffn.proj_down.weight"), "width 704: groups of 128 do not divide it");
  EXPECT_EQ(reason(block + "ffn.proj_up.weight"), "");
  EXPECT_EQ(reason("lm_head.weight"), "");
  EXPECT_EQ(reason("backbone.embeddings.weight"), "");

  quantise(bytes_mixed(), {{}, {4, 64}});
  const std::string mlstm = "xlstm_block_stack.blocks.0.xlstm.", slstm = "xlstm_block_stack.blocks.1.xlstm.";
  EXPECT_EQ(reason(mlstm + "mlstm_cell.igate.weight"), "a gate");
  EXPECT_EQ(reason(mlstm + "q_proj.weight"), "a head-wise matrix");
  EXPECT_EQ(reason(mlstm + "conv1d.conv.weight"), "a convolution");
  EXPECT_EQ(reason(mlstm + "learnable_skip"), "a vector");
  EXPECT_EQ(reason(slstm + "igate.weight"), "a head-wise matrix");
  EXPECT_EQ(reason(slstm + "slstm_cell._recurrent_kernel_"), "a recurrent matrix");
  EXPECT_EQ(reason(slstm + "slstm_cell._bias_"), "a bias");
  EXPECT_EQ(reason(mlstm + "proj_up.weight"), "");
  EXPECT_EQ(reason("xlstm_block_stack.blocks.1.ffn.proj_down.weight"), "");
}

TEST_F(QuantizeTest, TheHeadAndTheEmbeddingsCanBeKept) {
  const auto head = load(quantise(bard(), {.format = {4, 64}, .keep_head = true}));
  EXPECT_EQ(reason("lm_head.weight"), "--keep head");
  EXPECT_FALSE(head->lm_head.groups.has_value());
  EXPECT_TRUE(head->embedding.groups.has_value());
  const auto embedding = load(quantise(bard(), {.format = {4, 64}, .keep_embeddings = true}));
  EXPECT_EQ(reason("backbone.embeddings.weight"), "--keep embeddings");
  EXPECT_TRUE(embedding->lm_head.groups.has_value());
  EXPECT_FALSE(embedding->embedding.groups.has_value());
}

TEST_F(QuantizeTest, ATiedMatrixIsKeptForEitherOfItsUses) {
  for (const char* name : {"research_wide_tied", "wide_int4_tied"}) {
    fs::path from = good(name);
    if (std::string(name) == "wide_int4_tied") {  // the corpus has it quantised only
      from = fresh();
      quantize::convert(*checkpoint::open_directory(good(name)), {from, DType::float32});
    }
    for (const bool head : {true, false}) {
      const auto model = load(quantise(from, {.format = {4, 32}, .keep_head = head, .keep_embeddings = !head}));
      EXPECT_FALSE(model->embedding.groups.has_value()) << name;
      EXPECT_EQ(model->lm_head.weight.data, model->embedding.weight.data) << name;
    }
    const auto both = load(quantise(from, {.format = {4, 32}}));
    EXPECT_TRUE(both->embedding.groups.has_value()) << name;
    EXPECT_EQ(both->lm_head.weight.data, both->embedding.weight.data) << name;
  }
}

TEST_F(QuantizeTest, TheConfigSaysHowAsMlxLmWritesIt) {
  const fs::path to = quantise(bard(), {{}, {8, 32}});
  nlohmann::json expected = read_json(bard() / "config.json");
  expected["quantization"] = {{"group_size", 32}, {"bits", 8}, {"mode", "affine"}};
  expected["quantization_config"] = expected["quantization"];
  EXPECT_EQ(read_json(to / "config.json"), expected);
  const auto file = checkpoint::open_safetensors(to / "model.safetensors");
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"format", "mlx"}}));
  EXPECT_EQ(read_file(to / "tokenizer.json"), read_file(bard() / "tokenizer.json"));
}

TEST_F(QuantizeTest, ModulesMayHaveAFormatOfTheirOwn) {
  const std::string wide = "backbone.blocks.2.ffn.proj_down";
  const fs::path mixed = quantise(bard(), {.format = {4, 64}, .modules = {{wide, {8, 64}}, {"lm_head", {8, 64}}}});
  const Contents four = contents(quantise(bard())), eight = contents(quantise(bard(), {{}, {8, 64}}));
  // then: each tensor is that of the file in which all have its bits
  for (const auto& [name, content] : contents(mixed)) {
    const bool is_wide = name.starts_with(wide + ".") || name.starts_with("lm_head.");
    EXPECT_TRUE(content == (is_wide ? eight : four).at(name)) << name;
  }
  // and the config says so as mlx-lm does
  const nlohmann::json format = {{"group_size", 64}, {"bits", 8}, {"mode", "affine"}};
  const nlohmann::json expected = {
      {"group_size", 64}, {"bits", 4}, {"mode", "affine"}, {wide, format}, {"lm_head", format}};
  EXPECT_EQ(read_json(mixed / "config.json")["quantization"], expected);
  // and what is read back is what was read back of those
  const auto floats = [&](const fs::path& from) {
    const fs::path to = fresh();
    quantize::convert(*checkpoint::open_directory(from), {to, DType::float32});
    return contents(to);
  };
  const Contents back = floats(mixed), back_of_eight = floats(quantise(bard(), {{}, {8, 64}}));
  EXPECT_TRUE(back.at("lm_head.weight") == back_of_eight.at("lm_head.weight"));
  EXPECT_EQ(load(mixed)->lm_head.groups->bits, 8);
  EXPECT_EQ(load(mixed)->embedding.groups->bits, 4);
}

TEST_F(QuantizeTest, EveryLayoutStaysWhatItIs) {
  const fs::path package = fresh();
  quantize::convert(*checkpoint::open_directory(bard()), {package, std::nullopt, checkpoint::Layout::package});
  const auto model = load(quantise(package));
  EXPECT_EQ(model->config.layout, "package");
  EXPECT_EQ(model->weight_kinds.front().name(), "int4");
  EXPECT_EQ(load(quantise(bytes_mixed()))->config.layout, "research");
}

TEST_F(QuantizeTest, TheReportCountsWhatWasWritten) {
  const auto model = load(quantise(bard()));
  EXPECT_EQ(report_.parameters, model->num_parameters);
  EXPECT_EQ(report_.parameters, 8'542'528);
  EXPECT_EQ(report_.bytes, model->weight_bytes);
  EXPECT_EQ(report_.source_bytes, 17'085'056u);
  ASSERT_EQ(report_.weights.size(), model->weight_kinds.size());
  EXPECT_EQ(report_.weights[0].name(), "int4");
  EXPECT_EQ(report_.weights[0].tensors, model->weight_kinds[0].tensors);
  EXPECT_EQ(report_.weights[1].bytes, model->weight_kinds[1].bytes);
}

TEST_F(QuantizeTest, ThereAndBackIsAStepAwayAtMost) {
  const fs::path int8 = quantise(bard(), {{}, {8, 64}, DType::float32}), back = fresh();
  quantize::convert(*checkpoint::open_directory(int8), {back, DType::float32});
  const auto before = read(bard()), after = read(back), steps = read(int8);
  for (const auto& [name, tensor] : before.tensors) {
    const std::vector<float> a = values(tensor), b = values(after.tensors.at(name));
    std::vector<float> scales(a.size(), 0.0f);
    if (reason(name).empty()) scales = values(steps.tensors.at(name.substr(0, name.rfind('.')) + ".scales"));
    const std::size_t group = a.size() / scales.size();
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_TRUE(std::abs(a[i] - b[i]) <= 1.01f * std::abs(scales[i / group])) << name << ' ' << i;
    }
  }
}

TEST_F(QuantizeTest, WhatIsQuantisedAlreadyIsRefused) {
  expect_error(ErrorCode::unsupported, {"wide_int4", "expected float weights but got quantised ones"}, [&] {
    quantise(good("wide_int4"), {{}, {4, 32}});
  });
  EXPECT_EQ(count(), 0u);
}

TEST_F(QuantizeTest, NothingToQuantiseIsRefused) {
  expect_error(ErrorCode::invalid_argument, {"huggingface_fused", "groups of 64"},
               [&] { quantise(good("huggingface_fused")); });
  EXPECT_EQ(count(), 0u);
}

// One tensor of "wide" changed.
class QuantizeValues : public QuantizeTest {
 protected:
  fs::path with(std::size_t index, float value) {
    const auto checkpoint = read(good("wide"));
    std::vector<TensorView> tensors;
    std::vector<float> numbers = values(checkpoint.tensors.at("lm_head.weight"));
    numbers[index] = value;
    for (const auto& [name, tensor] : checkpoint.tensors) {
      tensors.push_back(tensor);
      if (name == "lm_head.weight") tensors.back().data = reinterpret_cast<const std::byte*>(numbers.data());
    }
    const fs::path directory = fresh();
    fs::create_directory(directory);
    fs::copy_file(good("wide") / "config.json", directory / "config.json");
    checkpoint::write_safetensors(directory / "model.safetensors", tensors, {});
    return directory;
  }
};

TEST_F(QuantizeValues, WhatIsNoNumberIsRefusedByNameAndPlace) {
  for (const auto& [value, word] : {std::pair(NAN, "NaN"), std::pair(INFINITY, "infinity")}) {
    const fs::path bad = with(70, value);
    expect_error(ErrorCode::corrupt_file, {"\"lm_head.weight\"", word, "at [2, 6]"}, [&] {
      quantise(bad, {{}, {4, 32}});
    });
  }
}

TEST_F(QuantizeValues, AGroupThatTheScalesCannotHoldIsRefused) {
  const fs::path large = with(70, 1e6f);
  expect_error(ErrorCode::invalid_argument, {"\"lm_head.weight\"", "float16 can hold but got", "at [2, 0]"}, [&] {
    quantise(large, {{}, {4, 32}, DType::float16});
  });
  EXPECT_TRUE(fs::exists(quantise(large, {{}, {4, 32}})));
}

TEST_F(QuantizeTest, ACancelLeavesNothing) {
  const std::atomic<bool> cancel{true};
  QuantizeOptions options;
  options.output = fresh();
  expect_error(ErrorCode::cancelled, {"cancelled"}, [&] {
    quantize::quantize(*checkpoint::open_directory(bard()), options, {{}, &cancel});
  });
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace xlstm::testing
