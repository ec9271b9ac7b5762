#include <algorithm>
#include <mutex>
#include <utility>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

class Directory : public FileSource {
 public:
  explicit Directory(fs::path path) : path_(std::move(path)) {}

  std::optional<Bytes> open(const std::string& name) const override {
    const fs::path path = path_ / name;
    std::error_code error;
    if (fs::status(path, error).type() == fs::file_type::not_found) return std::nullopt;
    Bytes bytes = map_file(path);
    const std::lock_guard lock(mutex_);
    mapped_.push_back(bytes.data);
    return bytes;
  }

  std::string description() const override { return path_.string(); }

  void release(std::span<const std::byte> bytes) const override {
    if (is_mapped(bytes)) release_pages(bytes);
  }

 private:
  // Tensors that had to be copied lie elsewhere, and what is told of their memory would be lost.
  bool is_mapped(std::span<const std::byte> bytes) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(mapped_.begin(), mapped_.end(), [&](std::span<const std::byte> file) {
      return bytes.data() >= file.data() && bytes.data() + bytes.size() <= file.data() + file.size();
    });
  }

  fs::path path_;
  mutable std::mutex mutex_;
  mutable std::vector<std::span<const std::byte>> mapped_;
};

class MemorySource : public FileSource {
 public:
  MemorySource(std::map<std::string, Bytes> files, std::string description)
      : files_(std::move(files)), description_(std::move(description)) {}

  std::optional<Bytes> open(const std::string& name) const override {
    const auto file = files_.find(name);
    if (file == files_.end()) return std::nullopt;
    return file->second;
  }

  std::string description() const override { return description_; }

 private:
  std::map<std::string, Bytes> files_;
  std::string description_;
};

}  // namespace

std::unique_ptr<FileSource> open_directory(const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) {
    refuse(ErrorCode::not_found, directory.string(), "expected a checkpoint's directory but got none");
  }
  if (!fs::is_directory(status)) {
    refuse(ErrorCode::not_found, directory.string(), "expected a checkpoint's directory but got ",
           error ? error.message() : "a file");
  }
  return std::make_unique<Directory>(directory);
}

std::unique_ptr<FileSource> make_memory_source(std::map<std::string, Bytes> files, std::string description) {
  return std::make_unique<MemorySource>(std::move(files), std::move(description));
}

}  // namespace xlstm::checkpoint
