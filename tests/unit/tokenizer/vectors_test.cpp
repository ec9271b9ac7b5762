// Both files of golden vectors from Hugging Face `tokenizers` 0.23.3, both ways.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::tokenizer {
namespace {

namespace fs = std::filesystem;

void check_vectors(const fs::path& tokenizer_json, const fs::path& vectors) {
  const auto tokenizer = load_tokenizer(tokenizer_json);
  std::ifstream file(vectors);
  int num_lines = 0;
  for (std::string line; std::getline(file, line); ++num_lines) {
    const auto vector = nlohmann::json::parse(line);
    const auto ids = vector["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->encode(vector["text"].get<std::string>()), ids) << "line " << num_lines;
    EXPECT_EQ(tokenizer->decode(ids), vector["decoded"].get<std::string>()) << "line " << num_lines;
  }
  EXPECT_EQ(num_lines, 400);
}

TEST(Vectors, Bard8m) {
  const fs::path root = XLSTM_SOURCE_DIR;
  check_vectors(root / "models/bard-8m/tokenizer.json", root / "tests/data/tokenizer/bard-8m.jsonl");
}

TEST(Vectors, GptNeox20b) {
  const fs::path folder = fs::path(XLSTM_SOURCE_DIR) / "../shared/data/tokenizers/gpt-neox-20b";
  if (!fs::exists(folder / "tokenizer.json") || !fs::exists(folder / "vectors.jsonl")) {
    GTEST_SKIP() << "EleutherAI's tokenizer.json is not part of the project and not at " << folder;
  }
  check_vectors(folder / "tokenizer.json", folder / "vectors.jsonl");
}

}  // namespace
}  // namespace xlstm::tokenizer
