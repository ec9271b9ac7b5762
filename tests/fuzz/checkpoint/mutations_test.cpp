// Ten thousand damaged copies of good checkpoints: each loads or is refused in one line; none crashes, hangs or eats
// memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "tests/fuzz/checkpoint/corpus.h"
#include "tests/support/peak_memory.h"
#include "xlstm/base/error.h"
#include "xlstm/base/random.h"

namespace xlstm::fuzz {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
constexpr bool kAddressSanitizer = false;
#endif

constexpr int kMutations = 10'000;
constexpr double kMaxSeconds = 2;
constexpr std::size_t kMaxExtraBytes = std::size_t{64} << 20;

// Draws of one case: a pure function of the case's number, which is all it takes to repeat it.
class Dice {
 public:
  explicit Dice(int number) : key_{static_cast<std::uint64_t>(number), 0} {}
  /// In [0, bound).
  std::size_t below(std::size_t bound) {
    return static_cast<std::size_t>(uniform(key_, draws_++) * static_cast<double>(bound));
  }

 private:
  RngKey key_;
  std::uint64_t draws_ = 0;
};

const std::vector<std::string> kHostileTexts = {"-1",
                                                "0",
                                                "1e999",
                                                "18446744073709551615",
                                                "9223372036854775807",
                                                "null",
                                                "[[[[",
                                                "]",
                                                "}",
                                                "{}",
                                                "\"\\u0000\"",
                                                ",",
                                                ":",
                                                "\"",
                                                "&a",
                                                "*a",
                                                "!!",
                                                "\n- ",
                                                "F64"};

using Buffer = std::vector<char>;

// Where the readable part of a file is: everything in a config, the header of a weight file.
std::size_t text_size(const Buffer& buffer) { return std::min<std::size_t>(buffer.size(), 4096); }

void flip_bit(Buffer& buffer, Dice& dice) {
  buffer[dice.below(buffer.size())] ^= static_cast<char>(1 << dice.below(8));
}

void set_byte_of_text(Buffer& buffer, Dice& dice) {
  buffer[dice.below(text_size(buffer))] = static_cast<char>(dice.below(256));
}

void set_length_byte(Buffer& buffer, Dice& dice) {
  buffer[dice.below(std::min<std::size_t>(8, buffer.size()))] = static_cast<char>(dice.below(256));
}

void change_digit(Buffer& buffer, Dice& dice) {
  const std::size_t start = dice.below(text_size(buffer));
  const auto digit = std::find_if(buffer.begin() + static_cast<std::ptrdiff_t>(start), buffer.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  if (digit != buffer.end()) *digit = static_cast<char>('0' + dice.below(10));
}

void truncate(Buffer& buffer, Dice& dice) { buffer.resize(dice.below(buffer.size())); }

void append(Buffer& buffer, Dice& dice) {
  buffer.resize(buffer.size() + 1 + dice.below(64), static_cast<char>(dice.below(256)));
}

void erase_range(Buffer& buffer, Dice& dice) {
  const std::size_t begin = dice.below(text_size(buffer)), count = std::min(1 + dice.below(64), buffer.size() - begin);
  buffer.erase(buffer.begin() + static_cast<std::ptrdiff_t>(begin),
               buffer.begin() + static_cast<std::ptrdiff_t>(begin + count));
}

void repeat_range(Buffer& buffer, Dice& dice) {
  const std::size_t begin = dice.below(text_size(buffer)), count = std::min(1 + dice.below(256), buffer.size() - begin);
  const Buffer part(buffer.begin() + static_cast<std::ptrdiff_t>(begin),
                    buffer.begin() + static_cast<std::ptrdiff_t>(begin + count));
  buffer.insert(buffer.begin() + static_cast<std::ptrdiff_t>(begin), part.begin(), part.end());
}

void overwrite_with_text(Buffer& buffer, Dice& dice) {
  const std::string& text = kHostileTexts[dice.below(kHostileTexts.size())];
  const std::size_t begin = dice.below(text_size(buffer)), count = std::min(text.size(), buffer.size() - begin);
  std::copy_n(text.begin(), count, buffer.begin() + static_cast<std::ptrdiff_t>(begin));
}

void insert_text(Buffer& buffer, Dice& dice) {
  const std::string& text = kHostileTexts[dice.below(kHostileTexts.size())];
  buffer.insert(buffer.begin() + static_cast<std::ptrdiff_t>(dice.below(text_size(buffer))), text.begin(), text.end());
}

using Mutation = void (*)(Buffer&, Dice&);
constexpr Mutation kMutators[] = {flip_bit, set_byte_of_text, set_length_byte,     change_digit, truncate,
                                  append,   erase_range,      overwrite_with_text, insert_text,  repeat_range};

void mutate(FileBytes& files, Dice& dice) {
  for (std::size_t left = 1 + dice.below(4); left > 0; --left) {
    auto file = files.begin();
    std::advance(file, dice.below(files.size()));
    if (!file->second.empty()) kMutators[dice.below(std::size(kMutators))](file->second, dice);
  }
}

enum class Outcome { loaded, refused };

Outcome load(const FileBytes& files) {
  try {
    const auto checkpoint = checkpoint::read_checkpoint(*memory_source(files));
    model::build_model(checkpoint);
    ThreadPool pool(1);
    checkpoint::check_finite(checkpoint, pool);
    return Outcome::loaded;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(error.code(), ErrorCode::internal) << message;
    EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        << message;
    EXPECT_TRUE(message.starts_with("[memory")) << message;
    return Outcome::refused;
  }
}

using tests::peak_bytes;
using tests::reset_peak;

TEST(Mutations, TenThousandDamagedCheckpointsAreLoadedOrRefusedQuicklyAndInLittleMemory) {
  std::vector<FileBytes> good;
  std::size_t largest = 0;
  for (const std::string& name : corpus_names("good")) {
    good.push_back(read_files(corpus_directory() / "good" / name));
    std::size_t bytes = 0;
    for (const auto& [file, content] : good.back()) bytes += content.size();
    largest = std::max(largest, bytes);
    ASSERT_EQ(load(good.back()), Outcome::loaded) << name;
  }
  const bool peak_is_ours = reset_peak();
  const std::size_t before = peak_bytes();
  int refused = 0;
  for (int number = 0; number < kMutations; ++number) {
    Dice dice(number);
    FileBytes files = good[dice.below(good.size())];
    mutate(files, dice);
    SCOPED_TRACE(number);
    const std::clock_t start = std::clock();  // processor time: a busy machine is not the reader's fault
    refused += load(files) == Outcome::refused;
    ASSERT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kMaxSeconds) << "mutation " << number;
  }
  EXPECT_GT(refused, kMutations / 4);
  EXPECT_LT(refused, kMutations);
  // The sum over all of them, which is stricter than each. The sanitizer keeps freed memory, so it cannot be asked.
  if (!kAddressSanitizer && peak_is_ours) {
    EXPECT_LE(peak_bytes() - before, largest + kMaxExtraBytes);
  }
  RecordProperty("refused", refused);
}

}  // namespace
}  // namespace xlstm::fuzz
