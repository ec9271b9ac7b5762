// States of small made-up models, for the tests of their files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "xlstm/base/hash.h"
#include "xlstm/base/random.h"
#include "xlstm/state/state_file.h"

namespace xlstm::state {

namespace fs = std::filesystem;

inline constexpr TokenId kVocab = 4096;

/// What a file is tried with.
struct Kind {
  config::Architecture architecture;
  DType state_dtype = DType::float32;
  std::optional<int> zstd_level = {};
};

inline std::string kind_name(const testing::TestParamInfo<Kind>& test) {
  std::string name = test.param.architecture == config::Architecture::large ? "large" : "research";
  if (test.param.state_dtype == DType::bfloat16) name += "_bfloat16";
  if (test.param.zstd_level) name += "_zstd";
  return name;
}

inline config::StateSpec made_up_spec(config::Architecture architecture) {
  config::ModelConfig config;
  config.architecture = architecture;
  config.embedding_dim = 10;
  config.num_blocks = 2;
  config.blocks = {config::BlockKind::mlstm, config::BlockKind::slstm};
  config.num_heads = 2;
  config.slstm_num_heads = 2;
  config.qk_dim = 6;
  config.v_dim = 6;
  return config::make_state_spec(config);
}

inline StateFile made_up_state(const config::StateSpec& spec, DType state_dtype) {
  StateFile file;
  file.model_hash = hash_hex("model");
  file.tokenizer_hash = hash_hex("tokenizer");
  file.ids = {0, 17, 4095, 17};
  file.state_dtype = state_dtype;
  file.sampler = SamplerState{~std::uint64_t{0}, 3};
  file.aligned = true;
  file.arithmetic = "cpu AVX2";
  std::uint64_t step = 0;
  const auto number = [&] { return static_cast<float>(uniform({3, step++}) - 0.5); };
  file.slot.assign(static_cast<std::size_t>(spec.slot_size), 0.0f);
  for (const config::StateTensor& tensor : spec.tensors) {
    for (std::int64_t i = 0; i < tensor.size; ++i) {
      float value = number();
      if (tensor.stored_dtype(state_dtype) == DType::bfloat16) value = bfloat16_to_float32(float32_to_bfloat16(value));
      file.slot[static_cast<std::size_t>(tensor.offset + i)] = value;
    }
  }
  file.logits.resize(kVocab);
  std::generate(file.logits.begin(), file.logits.end(), number);
  return file;
}

/// Empty, and removed with it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (fs::temp_directory_path() / "xlstm_state_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchDirectory() { fs::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

}  // namespace xlstm::state
