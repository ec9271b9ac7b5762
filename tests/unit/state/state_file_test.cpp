// State files: what is saved comes back, and every way in which a file can differ or be damaged is refused by name.
#include "xlstm/state/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/full_disk.h"
#include "tests/unit/state/made_up_state.h"
#include "xlstm/base/hash.h"
#include "xlstm/base/ids_hash.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/state/checksum.h"
#include "xlstm/state/stored_state.h"

namespace xlstm::state {
namespace {

using testing::HasSubstr;
using tests::expect_error;

class StateFileTest : public testing::TestWithParam<Kind> {
 protected:
  StateFileTest() : spec_(made_up_spec(GetParam().architecture)), file_(made_up_state(spec_, GetParam().state_dtype)) {}

  void save() const { save_state(path_, spec_, file_, {GetParam().zstd_level}); }
  StateFile load() const { return load_state(path_, {spec_, file_.model_hash, file_.tokenizer_hash, kVocab}); }

  struct Contents {
    std::map<std::string, std::string> metadata;
    std::map<std::string, TensorView> tensors;
  };
  /// A file of another writer: `change` edits what was saved, and the checksum is right again.
  void save_changed(const std::function<void(Contents&)>& change) {
    if (!saved_) {
      save();
      saved_ = open_state(path_);
    }
    Contents contents{saved_->file.metadata, saved_->file.tensors};
    change(contents);
    contents.metadata[kChecksum] = checksum(contents.metadata, contents.tensors);
    std::vector<TensorView> tensors;
    for (const auto& [name, view] : contents.tensors) {
      tensors.push_back(view);
      tensors.back().name = name;
    }
    std::stable_sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
      return dtype_size(a.dtype) > dtype_size(b.dtype);
    });
    checkpoint::write_safetensors(path_, tensors, contents.metadata);
  }

  /// A small file: most of it are the logits.
  std::string saved_bytes() {
    file_.logits.resize(1);
    save();
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static StoredState read(const std::string& bytes) {
    return read_state({std::as_bytes(std::span(bytes)), nullptr}, "memory");
  }

  void expect_refused(ErrorCode code, const std::string& part) const {
    expect_error(code, part, [&] { load(); });
    expect_error(code, path_.string(), [&] { load(); });
  }

  std::string first_tensor() const { return "state." + spec_.tensors.front().name; }

  config::StateSpec spec_;
  StateFile file_;
  std::optional<StoredState> saved_;  // by save_changed
  ScratchDirectory scratch_;
  fs::path path_ = scratch_.path() / "chat.safetensors";
};

TEST_P(StateFileTest, ComesBackAsItWasSaved) {
  save();
  const StateFile loaded = load();
  EXPECT_EQ(loaded.ids, file_.ids);
  EXPECT_EQ(loaded.slot, file_.slot);
  EXPECT_EQ(loaded.model_hash, file_.model_hash);
  EXPECT_EQ(loaded.tokenizer_hash, file_.tokenizer_hash);
  EXPECT_EQ(loaded.state_dtype, file_.state_dtype);
  EXPECT_EQ(loaded.logits, file_.logits);
  EXPECT_EQ(loaded.sampler, file_.sampler);
  EXPECT_EQ(loaded.aligned, file_.aligned);
  EXPECT_EQ(loaded.arithmetic, file_.arithmetic);
}

TEST_P(StateFileTest, AFreshStateWithoutIdsLogitsOrSamplerIsAState) {
  file_ = {file_.model_hash, file_.tokenizer_hash, {}, std::vector<float>(file_.slot.size())};
  save();
  const StateFile loaded = load();
  EXPECT_TRUE(loaded.ids.empty());
  EXPECT_TRUE(loaded.logits.empty());
  EXPECT_FALSE(loaded.sampler);
  EXPECT_FALSE(loaded.aligned);
}

TEST_P(StateFileTest, PaddingIsNotSaved) {
  std::vector<char> used(file_.slot.size(), 0);
  for (const auto& tensor : spec_.tensors) {
    std::fill_n(used.begin() + static_cast<std::ptrdiff_t>(tensor.offset), tensor.size, char{1});
  }
  const StateFile original = file_;
  for (std::size_t i = 0; i < used.size(); ++i) file_.slot[i] = used[i] ? file_.slot[i] : 7.0f;
  ASSERT_NE(file_.slot, original.slot) << "this spec has no padding: the test tests nothing";
  save();
  EXPECT_EQ(load().slot, original.slot);
}

TEST_P(StateFileTest, HasTheNamesAndMetadataOfItsDescription) {
  save();
  const auto [info, stored, ids] = open_state(path_);
  EXPECT_EQ(stored.tensors.size(), spec_.tensors.size() + 2);
  for (const auto& tensor : spec_.tensors) {
    EXPECT_EQ(stored.tensors.at("state." + tensor.name).shape, tensor.shape);
    EXPECT_EQ(stored.tensors.at("state." + tensor.name).dtype, tensor.stored_dtype(file_.state_dtype));
  }
  EXPECT_TRUE(stored.copied.empty());
  EXPECT_EQ(stored.tensors.at("ids").shape, Shape{4});
  EXPECT_EQ(stored.tensors.at("logits").shape, Shape{kVocab});
  EXPECT_EQ(ids, file_.ids);
  EXPECT_EQ(stored.metadata.at("format"), "xlstm-state");
  EXPECT_EQ(stored.metadata.at("format_version"), "2");
  EXPECT_EQ(stored.metadata.at("model_hash"), file_.model_hash);
  EXPECT_EQ(stored.metadata.at("tokenizer_hash"), file_.tokenizer_hash);
  EXPECT_EQ(stored.metadata.at("state_dtype"), dtype_name(file_.state_dtype));
  EXPECT_EQ(stored.metadata.at("token_count"), "4");
  EXPECT_EQ(stored.metadata.at("ids_hash"), IdsHash().extended(file_.ids).hex());
  EXPECT_EQ(stored.metadata.at("sampler_seed"), "18446744073709551615");
  EXPECT_EQ(stored.metadata.at("sampler_drawn"), "3");
  EXPECT_EQ(stored.metadata.at("aligned"), "true");
  EXPECT_EQ(stored.metadata.at("arithmetic"), file_.arithmetic);
  EXPECT_THAT(stored.metadata.at("created"), testing::MatchesRegex("20..-..-..T..:..:..Z"));
  EXPECT_EQ(stored.metadata.at("checksum"), checksum(stored.metadata, stored.tensors));
  EXPECT_EQ(stored.metadata.size(), 14u);
  EXPECT_EQ(info.compressed, GetParam().zstd_level.has_value());
  EXPECT_EQ(info.file_bytes, fs::file_size(path_));
}

TEST_P(StateFileTest, LaterWorkMayAddMetadataAndExtensionTensors) {
  const std::vector<float> extra = {1, 2, 3};
  save_changed([&](Contents& contents) {
    contents.metadata["transcript_language"] = "en";
    contents.tensors["ext.notes"] = {"", DType::float32, {3}, reinterpret_cast<const std::byte*>(extra.data()), ""};
  });
  EXPECT_EQ(load().slot, file_.slot);
}

TEST_P(StateFileTest, RefusesAnotherModelOrTokenizer) {
  save();
  const std::string saved = file_.model_hash;
  file_.model_hash = hash_hex("another");
  expect_refused(ErrorCode::invalid_argument, "model_hash: expected " + file_.model_hash + " but got " + saved);
  file_.model_hash = saved;
  file_.tokenizer_hash = hash_hex("another");
  expect_refused(ErrorCode::invalid_argument, "tokenizer_hash: expected " + file_.tokenizer_hash);
}

TEST_P(StateFileTest, RefusesAnotherFormatVersion) {
  save_changed([](Contents& contents) { contents.metadata["format_version"] = "3\n"; });
  expect_refused(ErrorCode::invalid_argument, "format_version: expected 1 or 2 but got 3\\x0a");
  save_changed([](Contents& contents) { contents.metadata["format"] = "pt"; });
  expect_refused(ErrorCode::corrupt_file, "expected xlstm-state but got pt");
}

TEST_P(StateFileTest, RefusesMetadataThatIsMissingOrWrong) {
  for (const char* key : {"format", "format_version", "model_hash", "tokenizer_hash", "state_dtype", "token_count",
                          "ids_hash", "sampler_drawn", "aligned", "arithmetic", "program_version", "created"}) {
    save_changed([&](Contents& contents) { contents.metadata.erase(key); });
    expect_refused(ErrorCode::corrupt_file, '"' + std::string(key) + '"');
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"token_count", "5"},   {"ids_hash", "x"},      {"state_dtype", "int8"}, {"aligned", "yes"},
      {"sampler_seed", "-1"}, {"sampler_drawn", "5"}, {"sampler_drawn", "1x"}};
  for (const auto& [key, value] : wrong) {
    save_changed([&, k = key, v = value](Contents& contents) { contents.metadata[k] = v; });
    expect_refused(ErrorCode::corrupt_file, key + std::string(": expected "));
  }
}

TEST_P(StateFileTest, RefusesMissingUnknownOrMistypedTensors) {
  save_changed([&](Contents& contents) { contents.tensors.erase(first_tensor()); });
  expect_refused(ErrorCode::corrupt_file, "expected tensor " + first_tensor());
  save_changed([&](Contents& contents) { contents.tensors["state.other"] = contents.tensors.at(first_tensor()); });
  expect_refused(ErrorCode::corrupt_file, "tensor state.other");
  save_changed([&](Contents& contents) { contents.tensors["other"] = contents.tensors.at(first_tensor()); });
  expect_refused(ErrorCode::corrupt_file, "tensor other");
  save_changed([&](Contents& contents) { contents.tensors.at("logits").dtype = DType::int32; });
  expect_refused(ErrorCode::corrupt_file, "dtype of tensor logits: expected float32 but got int32");
  save_changed([&](Contents& contents) { contents.tensors.at("ids").shape = {2, 2}; });
  expect_refused(ErrorCode::corrupt_file, "shape of tensor ids: expected one dimension but got [2, 2]");
  save_changed([&](Contents& contents) { contents.tensors.erase("ids"); });
  expect_refused(ErrorCode::corrupt_file, "tensor ids");
}

TEST_P(StateFileTest, RefusesTheOtherStateDtypesTensors) {
  const bool wide = file_.state_dtype == DType::float32;
  save_changed([&](Contents& contents) { contents.metadata["state_dtype"] = wide ? "bfloat16" : "float32"; });
  expect_refused(ErrorCode::corrupt_file,
                 wide ? "expected bfloat16 but got float32" : "expected float32 but got bfloat16");
}

TEST_P(StateFileTest, RefusesOtherShapesAndIdsOutsideTheVocabulary) {
  save_changed([&](Contents& contents) {
    Shape& shape = contents.tensors.at(first_tensor()).shape;
    shape.insert(shape.begin(), 1);
  });
  expect_refused(ErrorCode::invalid_argument, "shape of tensor " + first_tensor() + ": expected ");
  save_changed([&](Contents& contents) { contents.tensors.at("logits").shape = {1, kVocab}; });
  expect_refused(ErrorCode::invalid_argument, "shape of tensor logits: expected [4096] but got [1, 4096]");
  for (const TokenId bad : {-1, kVocab}) {
    file_.ids[1] = bad;
    save();
    expect_refused(ErrorCode::corrupt_file, "ids: expected ids in [0, 4096) but got " + std::to_string(bad));
  }
}

TEST_P(StateFileTest, RefusesNanAndInfinityBothWays) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const bool in_logits : {false, true}) {
      const StateFile good = file_;
      (in_logits ? file_.logits.back() : file_.slot[static_cast<std::size_t>(spec_.tensors.back().offset)]) = bad;
      expect_error(ErrorCode::internal, "finite", [&] { save(); });
      EXPECT_FALSE(fs::exists(path_));
      file_ = good;
    }
  }
  std::vector<float> values(static_cast<std::size_t>(spec_.tensors.front().size), std::nanf(""));
  save_changed([&](Contents& contents) {
    contents.tensors.at(first_tensor()).data = reinterpret_cast<const std::byte*>(values.data());
  });
  expect_refused(ErrorCode::corrupt_file, "finite");
}

TEST_P(StateFileTest, RefusesWhatIsNotThereOrNotSafetensors) {
  expect_error(ErrorCode::not_found, path_.string(), [&] { load(); });
  for (const std::string text : {"", "hello", "\x28\xb5\x2f\xfd", "\x28\xb5\x2f\xfd and more"}) {
    std::ofstream(path_) << text;
    expect_refused(ErrorCode::corrupt_file, "");
  }
}

TEST_P(StateFileTest, AFailedSaveLeavesTheOldFileAndNothingElse) {
  save();
  const std::vector<float> slot = file_.slot;
  StateFile broken = file_;
  broken.slot[static_cast<std::size_t>(spec_.tensors.front().offset)] = std::nanf("");
  expect_error(ErrorCode::internal, "finite", [&] { save_state(path_, spec_, broken); });
  tests::expect_refused_by_a_full_disk(300, [&] { save(); });
  EXPECT_EQ(load().slot, slot);
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), fs::directory_iterator()), 1)
      << "a temporary file is left";
}

/// Every bit of every byte: the file is refused, or says the same.
TEST_P(StateFileTest, NoDamagedByteGoesUnnoticed) {
  std::string bytes = saved_bytes();
  const StateInfo before = read(bytes).info;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    const auto flip = [&] { bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << (i % 8))); };
    flip();
    try {
      const StateInfo after = read(bytes).info;
      ASSERT_EQ(after.checksum, before.checksum) << "byte " << i / 8 << " bit " << i % 8;
      ASSERT_EQ(after.format_version, 2) << "byte " << i / 8 << " bit " << i % 8;
    } catch (const Error& error) {
      ASSERT_NE(error.code(), ErrorCode::internal) << error.what();
      ++refused;
    }
    flip();
  }
  EXPECT_GT(refused, 8 * bytes.size() * 9 / 10);
}

TEST_P(StateFileTest, NoCutGoesUnnoticed) {
  const std::string bytes = saved_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    expect_error(ErrorCode::corrupt_file, "", [&] { read(bytes.substr(0, size)); });
  }
  expect_error(ErrorCode::corrupt_file, "overlong", [&] { read(bytes + '\0'); });
}

INSTANTIATE_TEST_SUITE_P(Kinds, StateFileTest,
                         testing::Values(Kind{config::Architecture::large}, Kind{config::Architecture::research},
                                         Kind{config::Architecture::large, DType::bfloat16},
                                         Kind{config::Architecture::research, DType::bfloat16, 3},
                                         Kind{config::Architecture::large, DType::float32, 1}),
                         kind_name);

TEST(StateFile, Bfloat16StatesTakeHalfTheBytes) {
  const ScratchDirectory scratch;
  const fs::path path = scratch.path() / "state";
  const config::StateSpec spec = made_up_spec(config::Architecture::large);
  std::size_t bytes[2] = {};
  for (const bool wide : {false, true}) {
    save_state(path, spec, made_up_state(spec, wide ? DType::float32 : DType::bfloat16));
    for (const auto& [name, view] : open_state(path).file.tensors) {
      if (name.ends_with(".c")) bytes[wide] += view.nbytes();
    }
  }
  EXPECT_EQ(2 * bytes[false], bytes[true]);
}

TEST(StateFile, ABfloat16StateThatBfloat16DoesNotHoldIsRefused) {
  const ScratchDirectory scratch;
  const config::StateSpec spec = made_up_spec(config::Architecture::large);
  StateFile file = made_up_state(spec, DType::bfloat16);
  file.slot[static_cast<std::size_t>(spec.tensors.front().offset)] = 1.0f + 0x1p-20f;
  expect_error(ErrorCode::internal, "bfloat16 holds exactly", [&] { save_state(scratch.path() / "x", spec, file); });
}

TEST(StateFile, WrongLevelsAreRefused) {
  const ScratchDirectory scratch;
  const config::StateSpec spec = made_up_spec(config::Architecture::large);
  const StateFile file = made_up_state(spec, DType::float32);
  for (const int level : {0, -5, 20}) {
    expect_error(ErrorCode::invalid_argument, "a zstd level in [1, 19] but got " + std::to_string(level),
                 [&] { save_state(scratch.path() / "x", spec, file, {level}); });
  }
}

}  // namespace
}  // namespace xlstm::state
