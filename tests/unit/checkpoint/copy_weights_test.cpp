// Weights in memory of their own are those of the files, and the files are let go.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/checkpoint.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

const fs::path kGood = fs::path(XLSTM_SOURCE_DIR) / "tests/fuzz/corpus/good";

/// A directory that counts what it was told to let go.
class CountingDirectory : public FileSource {
 public:
  explicit CountingDirectory(const fs::path& path) : files_(open_directory(path)) {}
  std::optional<Bytes> open(const std::string& name) const override { return files_->open(name); }
  std::string description() const override { return files_->description(); }
  void release(std::span<const std::byte> bytes) const override {
    released_ += bytes.size();
    files_->release(bytes);
  }
  std::size_t released() const { return released_; }

 private:
  std::unique_ptr<FileSource> files_;
  mutable std::atomic<std::size_t> released_{0};
};

TEST(CopyWeights, GivesEveryTensorOfEveryLayoutMemoryOfItsOwn) {
  ThreadPool pool(3);
  for (const auto& entry : fs::directory_iterator(kGood)) {
    const std::string name = entry.path().filename().string();
    const Checkpoint mapped = read_checkpoint(*open_directory(entry.path()));
    const CountingDirectory files(entry.path());
    Checkpoint copied = read_checkpoint(files);
    copy_weights(copied, files, pool);
    ASSERT_EQ(copied.tensors.size(), mapped.tensors.size()) << name;
    ASSERT_EQ(copied.storage.size(), 1u) << name;
    EXPECT_EQ(copied.copied.size(), mapped.tensors.size()) << name;
    std::size_t bytes = 0;
    for (const auto& [tensor, view] : copied.tensors) {
      const TensorView& from = mapped.tensors.at(tensor);
      ASSERT_EQ(view.nbytes(), from.nbytes()) << name << ' ' << tensor;
      ASSERT_TRUE(std::equal(view.data, view.data + view.nbytes(), from.data)) << name << ' ' << tensor;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % 64, 0u) << name << ' ' << tensor;
      EXPECT_EQ(view.file, from.file);
      bytes += view.nbytes();
    }
    EXPECT_EQ(files.released(), bytes) << name;
  }
}

// More than one piece, and an end that is none: a tensor of 5 MiB and 3 bytes between two small ones.
TEST(CopyWeights, CopiesLargeTensorsToTheLastByte) {
  ThreadPool pool(2);
  std::vector<std::byte> file((std::size_t{5} << 20) + 11);
  for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<std::byte>(i * 31 >> 3);
  Checkpoint checkpoint;
  const auto add = [&](const char* name, std::size_t begin, std::size_t size) {
    checkpoint.tensors[name] = {name, DType::uint8, {static_cast<std::int64_t>(size)}, file.data() + begin, "file"};
  };
  add("b", 0, 4);
  add("a", 4, file.size() - 8);
  add("c", file.size() - 4, 4);
  const Checkpoint before = checkpoint;
  copy_weights(checkpoint, *make_memory_source({}, "memory"), pool);
  for (const auto& [name, view] : checkpoint.tensors) {
    const std::byte* const from = before.tensors.at(name).data;
    EXPECT_NE(view.data, from);
    EXPECT_TRUE(std::equal(from, from + view.nbytes(), view.data)) << name;
  }
}

TEST(CopyWeights, ThatDoNotFitAreRefusedBeforeTheyAreRead) {
  ThreadPool pool(1);
  const CountingDirectory files(kGood / "wide");
  Checkpoint checkpoint = read_checkpoint(files);
  std::size_t bytes = 0;
  for (const auto& [name, view] : checkpoint.tensors) bytes += (view.nbytes() + 63) / 64 * 64;
  try {
    copy_weights(checkpoint, files, pool, [&] { return bytes - 1; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
    EXPECT_NE(std::string(error.what()).find("a copy of the weights: expected at least " + std::to_string(bytes)),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(files.released(), 0u);
  EXPECT_TRUE(checkpoint.copied.empty());
  copy_weights(checkpoint, files, pool, [&] { return bytes; });
}

}  // namespace
}  // namespace xlstm::checkpoint
