// Checkpoints of the corpus and of the repository, and directories for what is made of them.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::testing {

inline std::filesystem::path good(const std::string& name) {
  return std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good" / name;
}
inline std::filesystem::path bard() { return std::filesystem::path(XLSTM_SOURCE_DIR) / "models/bard-8m"; }
inline std::filesystem::path bytes_mixed() {
  return std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/data/bytes-mixed-1.5m";
}

inline checkpoint::Checkpoint read(const std::filesystem::path& directory) {
  return checkpoint::read_checkpoint(*checkpoint::open_directory(directory));
}
inline std::shared_ptr<const model::Model> load(const std::filesystem::path& directory) {
  return model::build_model(read(directory));
}

/// Every tensor of a checkpoint: dtype, shape and bytes, by name.
using Contents = std::map<std::string, std::string>;

inline std::string content_of(const TensorView& tensor) {
  return std::string(dtype_name(tensor.dtype)) + ' ' + shape_to_string(tensor.shape) + ' ' +
         std::string(reinterpret_cast<const char*>(tensor.data), tensor.nbytes());
}
inline Contents contents(const std::filesystem::path& directory) {
  Contents all;
  for (const auto& [name, tensor] : read(directory).tensors) all[name] = content_of(tensor);
  return all;
}
/// Names of the tensors that are not the same in both.
inline std::set<std::string> differences(const Contents& a, const Contents& b) {
  std::set<std::string> names;
  for (const auto& [name, content] : a) {
    if (!b.contains(name) || b.at(name) != content) names.insert(name);
  }
  for (const auto& [name, content] : b) {
    if (!a.contains(name)) names.insert(name);
  }
  return names;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline nlohmann::json read_json(const std::filesystem::path& path) { return nlohmann::json::parse(read_file(path)); }

inline std::vector<float> values(const TensorView& tensor) {
  std::vector<float> wide(static_cast<std::size_t>(tensor.size()));
  widen_to_float32(tensor.dtype, tensor.data, wide.size(), wide.data());
  return wide;
}

/// A directory that is removed with the test.
class ScratchTest : public ::testing::Test {
 protected:
  ScratchTest() {
    std::string name = (std::filesystem::temp_directory_path() / "xlstm_quantize_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~ScratchTest() override { std::filesystem::remove_all(root_); }

  /// A path that does not exist yet.
  std::filesystem::path fresh() { return root_ / std::to_string(next_++); }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(root_), std::filesystem::directory_iterator()));
  }

  std::filesystem::path root_;
  int next_ = 0;
};

template <class F>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, F&& f) {
  try {
    f();
    ADD_FAILURE() << "no error; expected one that says " << parts.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " in " << error.what();
    }
  }
}

}  // namespace xlstm::testing
