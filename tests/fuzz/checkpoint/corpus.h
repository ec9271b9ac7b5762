// The checkpoints of tests/fuzz/corpus, as directories or as bytes in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::fuzz {

inline std::filesystem::path corpus_directory() {
  return std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus";
}

/// Names of the directories in corpus/<folder>, sorted.
inline std::vector<std::string> corpus_names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(corpus_directory() / folder)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

using FileBytes = std::map<std::string, std::vector<char>>;

inline FileBytes read_files(const std::filesystem::path& directory) {
  FileBytes files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return files;
}

/// The bytes must outlive what is read from them.
inline std::unique_ptr<checkpoint::FileSource> memory_source(const FileBytes& files) {
  std::map<std::string, checkpoint::Bytes> views;
  for (const auto& [name, bytes] : files) views[name] = {std::as_bytes(std::span(bytes)), nullptr};
  return checkpoint::make_memory_source(std::move(views), "memory");
}

inline std::shared_ptr<const model::Model> load_directory(const std::filesystem::path& directory) {
  return model::build_model(checkpoint::read_checkpoint(*checkpoint::open_directory(directory)));
}

inline std::shared_ptr<const model::Model> load_good(const std::string& name) {
  return load_directory(corpus_directory() / "good" / name);
}

}  // namespace xlstm::fuzz
