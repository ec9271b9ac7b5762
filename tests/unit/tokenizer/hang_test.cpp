// A megabyte of what trips tokenizers up: each under two seconds of processor time, with memory linear in the text.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <ctime>
#include <filesystem>
#include <random>

#include "tests/unit/tokenizer/tiny_tokenizer.h"
#include "xlstm/tokenizer/utf8.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define XLSTM_TEST_IS_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define XLSTM_TEST_IS_SANITIZED
#endif

namespace xlstm::tokenizer {
namespace {

constexpr std::size_t kMegabyte = 1'000'000;
#if defined(XLSTM_TEST_IS_SANITIZED)
constexpr double kLimitSeconds = 20;  // sanitizers cost about ten times, and keep freed memory
constexpr long kLimitKilobytes = 1'000'000;
#elif !defined(NDEBUG)
constexpr double kLimitSeconds = 20;  // so does code that is not optimised
constexpr long kLimitKilobytes = 100'000;
#else
constexpr double kLimitSeconds = 2;
constexpr long kLimitKilobytes = 100'000;  // a hundred bytes for each byte of text
#endif

std::string random_marks() {
  std::mt19937 random(1);
  std::string text = "a";
  while (text.size() < kMegabyte) append_utf8(0x300 + random() % 0x70, text);  // classes 202 to 240, out of order
  return text;
}

std::string random_bytes() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kMegabyte) text += static_cast<char>(random());
  return text;
}

std::string random_letters() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kMegabyte) text += static_cast<char>('a' + random() % 26);
  return text;
}

struct Input {
  const char* name;
  std::string text;
};

std::vector<Input> inputs() {
  std::string same_mark;
  while (same_mark.size() < kMegabyte) same_mark += "\xCC\x81";
  return {{"one letter", std::string(kMegabyte, 'a')},
          {"spaces", std::string(kMegabyte, ' ')},
          {"newlines", std::string(kMegabyte, '\n')},
          {"one combining mark", same_mark},
          {"combining marks out of order", random_marks()},
          {"random bytes", random_bytes()},
          {"one long word", random_letters()},
          {"continuation bytes", std::string(kMegabyte, '\x80')}};
}

long peak_rss_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void check(const Tokenizer& tokenizer) {
  for (const Input& input : inputs()) {
    const long before = peak_rss_kilobytes();
    const std::clock_t begin = std::clock();
    const auto ids = tokenizer.encode(input.text);
    EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, kLimitSeconds) << input.name;
    EXPECT_LT(peak_rss_kilobytes() - before, kLimitKilobytes) << input.name;
    EXPECT_FALSE(ids.empty()) << input.name;
  }
}

TEST(Hang, ModelVocabulary) {
  const auto tokenizer = load_tokenizer(std::filesystem::path(XLSTM_SOURCE_DIR) / "models/bard-8m/tokenizer.json");
  check(*tokenizer);
}

TEST(Hang, NfcAndAddedTokensThatTakeWhiteSpace) {
  auto file = tiny_tokenizer_json();
  file["normalizer"] = {{"type", "NFC"}};
  file["added_tokens"].push_back(added_token(263, "\n", {"lstrip", "rstrip"}));
  file["added_tokens"].push_back(added_token(264, "  ", {"normalized", "rstrip"}));
  check(*parse(file));
}

TEST(Hang, SplitPattern) {
  auto file = tiny_tokenizer_json();
  const char* const pattern =
      R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  const nlohmann::json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  file["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", nlohmann::json::array({split, file["pre_tokenizer"]})}};
  check(*parse(file));
}

TEST(Hang, GptNeox20b) {
  const auto path = std::filesystem::path(XLSTM_SOURCE_DIR) / "../shared/data/tokenizers/gpt-neox-20b/tokenizer.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "EleutherAI's tokenizer.json is not part of the project";
  check(*load_tokenizer(path));
}

}  // namespace
}  // namespace xlstm::tokenizer
