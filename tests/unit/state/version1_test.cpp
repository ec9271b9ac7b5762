// Version 1, by a file that its own program wrote: it is read as it was, and damage is noticed.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/expect_error.h"
#include "tests/unit/state/made_up_state.h"
#include "xlstm/state/stored_state.h"

namespace xlstm::state {
namespace {

using tests::expect_error;

const fs::path kFile = fs::path(XLSTM_SOURCE_DIR) / "tests/data/state/version1.safetensors";

/// What was saved, as that program made it up.
struct Version1 {
  config::StateSpec spec = made_up_spec(config::Architecture::research);
  StateFile file = made_up_state(spec, DType::float32);
  StateOwner owner{spec, file.model_hash, file.tokenizer_hash, kVocab};
};

TEST(Version1, IsReadAsItWasWritten) {
  const Version1 expected;
  const StateFile loaded = load_state(kFile, expected.owner);
  EXPECT_EQ(loaded.ids, expected.file.ids);
  EXPECT_EQ(loaded.slot, expected.file.slot);
  EXPECT_EQ(loaded.state_dtype, DType::float32);
  EXPECT_TRUE(loaded.logits.empty());
  EXPECT_FALSE(loaded.sampler);
  EXPECT_FALSE(loaded.aligned);
}

TEST(Version1, IsToldWithoutAModel) {
  const StateInfo info = open_state(kFile).info;
  EXPECT_EQ(info.format_version, 1);
  EXPECT_EQ(info.token_count, 4u);
  EXPECT_EQ(info.model_hash, hash_hex("model"));
  EXPECT_FALSE(info.compressed);
}

TEST(Version1, RefusesAnotherModel) {
  const Version1 expected;
  expect_error(ErrorCode::invalid_argument, "model_hash", [&] {
    load_state(kFile, {expected.spec, hash_hex("another"), expected.file.tokenizer_hash, kVocab});
  });
}

TEST(Version1, NoDamagedByteGoesUnnoticed) {
  const Version1 expected;
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "state";
  std::ifstream in(kFile, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::size_t refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    try {
      read_state({std::as_bytes(std::span(damaged)), nullptr}, "memory", kMostStateBytes, &expected.spec);
      std::ofstream(path, std::ios::binary) << damaged;
      const StateFile loaded = load_state(path, expected.owner);
      ASSERT_EQ(loaded.slot, expected.file.slot) << "byte " << i;
      ASSERT_EQ(loaded.ids, expected.file.ids) << "byte " << i;
    } catch (const Error& error) {
      ASSERT_NE(error.code(), ErrorCode::internal) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, bytes.size() * 9 / 10);
}

}  // namespace
}  // namespace xlstm::state
