#include "xlstm/engine/embedded_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

namespace xlstm::engine {
namespace {

const std::filesystem::path kDirectory = std::filesystem::path(XLSTM_SOURCE_DIR) / "models/bard-8m";

/// What a person reads about the model, not a loader.
bool is_document(const std::filesystem::path& path) {
  return path.extension() == ".md" || path.filename() == "LICENSE";
}

TEST(EmbeddedModel, HasEveryFileOfTheDirectoryByteForByte) {
  const auto embedded = embedded_model();
  const auto directory = checkpoint::open_directory(kDirectory);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    if (is_document(entry.path())) continue;
    const std::string name = entry.path().filename();
    SCOPED_TRACE(name);
    const auto expected = directory->open(name), actual = embedded->open(name);
    ASSERT_TRUE(expected.has_value());
    ASSERT_TRUE(actual.has_value()) << "rebuild, or add the file to embedded_model.{cpp,cmake}";
    EXPECT_TRUE(std::equal(actual->data.begin(), actual->data.end(), expected->data.begin(), expected->data.end()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(actual->data.data()) % 64, 0u);
    ++files;
  }
  EXPECT_EQ(files, 7);
}

TEST(EmbeddedModel, IsNotCopied) {
  EXPECT_EQ(embedded_model()->open("tokenizer.json")->data.data(),
            embedded_model()->open("tokenizer.json")->data.data());
}

TEST(EmbeddedModel, SaysWhatItIsAndHasNothingElse) {
  EXPECT_EQ(embedded_model()->description(), "embedded model");
  EXPECT_FALSE(embedded_model()->open("config.yaml").has_value());
}

}  // namespace
}  // namespace xlstm::engine
