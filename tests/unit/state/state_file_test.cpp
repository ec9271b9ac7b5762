// State files: what is saved comes back, and every way in which a file can differ is refused by name.
#include "xlstm/state/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/base/random.h"
#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::state {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

config::StateSpec make_spec(config::Architecture architecture) {
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

class StateFileTest : public testing::TestWithParam<config::Architecture> {
 protected:
  StateFileTest() : spec_(make_spec(GetParam())) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("xlstm_") + test->name() + '_' + std::to_string(::getpid());
    std::replace(name.begin(), name.end(), '/', '_');
    directory_ = fs::temp_directory_path() / name;
    fs::create_directories(directory_);
    path_ = directory_ / "chat.safetensors";
    file_.model_hash = hash_hex("model");
    file_.tokenizer_hash = hash_hex("tokenizer");
    file_.ids = {0, 17, 4095, 17};
    file_.slot.assign(static_cast<std::size_t>(spec_.slot_size), 0.0f);
    std::uint64_t step = 0;
    for (const auto& tensor : spec_.tensors) {
      for (std::int64_t i = 0; i < tensor.size; ++i) {
        file_.slot[static_cast<std::size_t>(tensor.offset + i)] = static_cast<float>(uniform({3, step++}) - 0.5);
      }
    }
  }
  ~StateFileTest() override { fs::remove_all(directory_); }

  StateFile load() const { return load_state(path_, spec_, file_.model_hash, file_.tokenizer_hash); }

  // Saves, lets `change` edit tensors and metadata, writes again.
  struct Contents {
    std::vector<TensorView> tensors;
    std::map<std::string, std::string> metadata;
    TensorView& tensor(const std::string& name) {
      return *std::find_if(tensors.begin(), tensors.end(), [&](const TensorView& t) { return t.name == name; });
    }
  };
  void save_changed(const std::function<void(Contents&)>& change) const {
    save_state(path_, spec_, file_);
    const auto stored = checkpoint::open_safetensors(path_);
    Contents contents;
    for (const auto& [name, view] : stored.tensors) contents.tensors.push_back(view);
    contents.metadata = stored.metadata;
    change(contents);
    checkpoint::write_safetensors(path_, contents.tensors, contents.metadata);
  }

  void expect_refused(ErrorCode code, const std::vector<std::string>& parts) const {
    try {
      load();
      FAIL() << "accepted; expected a refusal that names " << parts.front();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      for (const std::string& part : parts) EXPECT_THAT(error.what(), HasSubstr(part));
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
      EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
    }
  }

  std::string first_tensor() const { return "state." + spec_.tensors.front().name; }

  config::StateSpec spec_;
  StateFile file_;
  fs::path directory_, path_;
};

TEST_P(StateFileTest, ComesBackAsItWasSaved) {
  save_state(path_, spec_, file_);
  const StateFile loaded = load();
  EXPECT_EQ(loaded.ids, file_.ids);
  EXPECT_EQ(loaded.slot, file_.slot);
  EXPECT_EQ(loaded.model_hash, file_.model_hash);
  EXPECT_EQ(loaded.tokenizer_hash, file_.tokenizer_hash);
}

TEST_P(StateFileTest, AFreshStateWithoutIdsIsAState) {
  file_.ids.clear();
  file_.slot.assign(file_.slot.size(), 0.0f);
  save_state(path_, spec_, file_);
  EXPECT_TRUE(load().ids.empty());
}

TEST_P(StateFileTest, PaddingIsNeitherSavedNorHashed) {
  save_state(path_, spec_, file_);
  const std::string before = checkpoint::open_safetensors(path_).metadata.at("state_hash");
  std::vector<char> used(file_.slot.size(), 0);
  for (const auto& tensor : spec_.tensors) {
    std::fill_n(used.begin() + static_cast<std::ptrdiff_t>(tensor.offset), tensor.size, char{1});
  }
  const StateFile original = file_;
  for (std::size_t i = 0; i < used.size(); ++i) file_.slot[i] = used[i] ? file_.slot[i] : 7.0f;
  ASSERT_NE(file_.slot, original.slot) << "this spec has no padding: the test tests nothing";
  save_state(path_, spec_, file_);
  EXPECT_EQ(checkpoint::open_safetensors(path_).metadata.at("state_hash"), before);
  EXPECT_EQ(load().slot, original.slot);
}

TEST_P(StateFileTest, HasTheNamesAndMetadataOfItsDescription) {
  save_state(path_, spec_, file_);
  const auto stored = checkpoint::open_safetensors(path_);
  EXPECT_EQ(stored.tensors.size(), spec_.tensors.size() + 1);
  for (const auto& tensor : spec_.tensors) EXPECT_EQ(stored.tensors.at("state." + tensor.name).shape, tensor.shape);
  EXPECT_EQ(stored.tensors.at("ids").shape, Shape{4});
  EXPECT_EQ(stored.metadata.at("format"), "xlstm-state");
  EXPECT_EQ(stored.metadata.at("format_version"), "1");
  EXPECT_EQ(stored.metadata.at("token_count"), "4");
  EXPECT_EQ(stored.metadata.at("ids_hash"), hash_hex(std::as_bytes(std::span(file_.ids))));
  EXPECT_EQ(stored.metadata.at("model_hash"), file_.model_hash);
  EXPECT_EQ(stored.metadata.at("tokenizer_hash"), file_.tokenizer_hash);
}

TEST_P(StateFileTest, LaterWorkMayAddMetadataAndExtensionTensors) {
  const std::vector<float> extra = {1, 2, 3};
  save_changed([&](Contents& contents) {
    contents.metadata["transcript_language"] = "en";
    contents.tensors.push_back(
        {"ext.notes", DType::float32, {3}, reinterpret_cast<const std::byte*>(extra.data()), ""});
  });
  EXPECT_EQ(load().slot, file_.slot);
}

TEST_P(StateFileTest, RefusesAnotherModelOrTokenizer) {
  save_state(path_, spec_, file_);
  const std::string saved = file_.model_hash;
  file_.model_hash = hash_hex("another");
  expect_refused(ErrorCode::invalid_argument, {"model_hash", "expected " + file_.model_hash, "but got " + saved});
  file_.model_hash = saved;
  file_.tokenizer_hash = hash_hex("another");
  expect_refused(ErrorCode::invalid_argument, {"tokenizer_hash", "expected " + file_.tokenizer_hash});
}

TEST_P(StateFileTest, RefusesAnotherFormatVersion) {
  save_changed([](Contents& contents) { contents.metadata["format_version"] = "2"; });
  expect_refused(ErrorCode::invalid_argument, {"format_version: expected 1 but got 2"});
}

TEST_P(StateFileTest, RefusesAWrongTokenCountOrHashOfIds) {
  save_changed([](Contents& contents) { contents.metadata["token_count"] = "5"; });
  expect_refused(ErrorCode::invalid_argument, {"token_count: expected 4 but got 5"});
  save_changed([](Contents& contents) { contents.metadata["ids_hash"] = hash_hex("x"); });
  expect_refused(ErrorCode::invalid_argument, {"ids_hash"});
  const std::vector<TokenId> other = {0, 17, 4095, 18};
  save_changed(
      [&](Contents& contents) { contents.tensor("ids").data = reinterpret_cast<const std::byte*>(other.data()); });
  expect_refused(ErrorCode::invalid_argument, {"ids_hash"});
}

TEST_P(StateFileTest, RefusesMissingMetadataByName) {
  for (const char* key :
       {"format", "format_version", "model_hash", "tokenizer_hash", "token_count", "ids_hash", "state_hash"}) {
    save_changed([&](Contents& contents) { contents.metadata.erase(key); });
    expect_refused(ErrorCode::corrupt_file, {'"' + std::string(key) + '"'});
  }
  save_changed([](Contents& contents) { contents.metadata["format_version"] = "2\n3"; });
  expect_refused(ErrorCode::invalid_argument, {"but got 2\\x0a3"});
  save_changed([](Contents& contents) { contents.metadata["format"] = "pt"; });
  expect_refused(ErrorCode::corrupt_file, {"format", "expected xlstm-state but got pt"});
}

TEST_P(StateFileTest, RefusesMissingUnknownOrMistypedTensors) {
  save_changed([&](Contents& contents) {
    std::erase_if(contents.tensors, [&](const TensorView& tensor) { return tensor.name == first_tensor(); });
  });
  expect_refused(ErrorCode::corrupt_file, {"expected tensor " + first_tensor()});
  save_changed([&](Contents& contents) { contents.tensor(first_tensor()).name = "state.other"; });
  expect_refused(ErrorCode::corrupt_file, {"tensor state.other"});
  save_changed([&](Contents& contents) { contents.tensor(first_tensor()).dtype = DType::int32; });
  expect_refused(ErrorCode::corrupt_file, {"dtype of tensor " + first_tensor(), "expected float32 but got int32"});
  save_changed([&](Contents& contents) { contents.tensor("ids").shape = {2, 2}; });
  expect_refused(ErrorCode::corrupt_file, {"shape of tensor ids", "[2, 2]"});
}

TEST_P(StateFileTest, RefusesAnotherShape) {
  save_changed([&](Contents& contents) {
    Shape& shape = contents.tensor(first_tensor()).shape;
    shape.insert(shape.begin(), 1);
  });
  expect_refused(ErrorCode::invalid_argument, {"shape of tensor " + first_tensor(), "expected "});
}

TEST_P(StateFileTest, RefusesNanAndInfinityBothWays) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    StateFile broken = file_;
    broken.slot[static_cast<std::size_t>(spec_.tensors.back().offset)] = bad;
    EXPECT_THROW(save_state(path_, spec_, broken), Error);
    EXPECT_FALSE(fs::exists(path_));
  }
  // A file of another writer, with the right hash.
  std::vector<float> values(static_cast<std::size_t>(spec_.tensors.front().size), std::nanf(""));
  save_changed([&](Contents& contents) {
    contents.tensor(first_tensor()).data = reinterpret_cast<const std::byte*>(values.data());
    Hasher hasher;
    for (const auto& tensor : spec_.tensors) {
      const TensorView& view = contents.tensor("state." + tensor.name);
      hasher.update(std::span(view.data, view.nbytes()));
    }
    contents.metadata["state_hash"] = hasher.digest();
  });
  expect_refused(ErrorCode::corrupt_file, {first_tensor(), "finite"});
}

TEST_P(StateFileTest, RefusesWhatIsNotThereOrNotSafetensors) {
  try {
    load();
    FAIL() << "read a file that does not exist";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
  std::ofstream(path_) << "hello";
  expect_refused(ErrorCode::corrupt_file, {""});
}

TEST_P(StateFileTest, AFailedSaveLeavesTheOldFile) {
  save_state(path_, spec_, file_);
  StateFile broken = file_;
  broken.slot[static_cast<std::size_t>(spec_.tensors.front().offset)] = std::nanf("");
  EXPECT_THROW(save_state(path_, spec_, broken), Error);
  EXPECT_EQ(load().slot, file_.slot);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1)
      << "a temporary file is left";
}

// Whatever byte is damaged (every third is tried), the file is refused or means the same.
TEST_P(StateFileTest, NoDamagedByteGoesUnnoticed) {
  save_state(path_, spec_, file_);
  std::ifstream in(path_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    std::ofstream(path_, std::ios::binary) << damaged;
    try {
      const StateFile loaded = load();
      ASSERT_EQ(loaded.slot, file_.slot) << "byte " << i;
      ASSERT_EQ(loaded.ids, file_.ids) << "byte " << i;
    } catch (const Error& error) {
      ASSERT_NE(error.code(), ErrorCode::internal) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, bytes.size() / 6);
}

INSTANTIATE_TEST_SUITE_P(Architectures, StateFileTest,
                         testing::Values(config::Architecture::large, config::Architecture::research),
                         [](const auto& test) {
                           return test.param == config::Architecture::large ? "large" : "research";
                         });

}  // namespace
}  // namespace xlstm::state
