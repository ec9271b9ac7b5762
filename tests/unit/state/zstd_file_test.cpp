// The compressed container: bounded before memory is taken, refused when anything about the frame is wrong.
#include "xlstm/state/zstd_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/expect_error.h"
#include "tests/unit/state/made_up_state.h"
#include "xlstm/state/limits.h"

namespace xlstm::state {
namespace {

using tests::expect_error;

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string compressed(const std::string& text, int level = 3) {
  const ScratchDirectory scratch;
  ZstdFile file(scratch.path() / "file", level, text.size());
  file.write(as_bytes(text.substr(0, text.size() / 3)));
  file.write(as_bytes(text.substr(text.size() / 3)));
  file.commit();
  std::ifstream in(scratch.path() / "file", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ZstdFile, GivesBackWhatWasWritten) {
  for (const std::size_t size : {0, 1, 1000, 1'000'000}) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; i += 3) text[i] = static_cast<char>(i * i % 251);
    for (const int level : {1, 3, 9}) {
      const std::string bytes = compressed(text, level);
      ASSERT_TRUE(is_zstd(as_bytes(bytes)));
      const checkpoint::Bytes content = unzstd(as_bytes(bytes), "f", size);
      ASSERT_EQ(content.data.size(), size);
      EXPECT_EQ(std::memcmp(content.data.data(), text.data(), size), 0);
    }
  }
}

TEST(ZstdFile, ABombIsRefusedBeforeMemoryIsTaken) {
  const std::string bytes = compressed(std::string(1 << 20, '\0'));
  EXPECT_LT(bytes.size(), 200u);
  expect_error(ErrorCode::corrupt_file, "expected at most 1048575 bytes in the frame but got 1048576",
               [&] { unzstd(as_bytes(bytes), "f", (1 << 20) - 1); });
  // A frame that says 2^60 bytes: magic, a descriptor with an 8-byte size and a single segment, the size, an empty
  // block.
  const std::string huge("\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\x01\0\0", 16);
  expect_error(ErrorCode::corrupt_file, "but got 1152921504606846976", [&] { unzstd(as_bytes(huge), "f", 1 << 30); });
  expect_error(ErrorCode::overloaded, "its content", [&] { unzstd(as_bytes(huge), "f", std::size_t{1} << 61); });
}

TEST(ZstdFile, AFrameThatHoldsOtherThanItSaysIsRefused) {
  std::string bytes = compressed(std::string(1000, 'a') + std::string(1000, 'b'));
  const std::string good = bytes;
  expect_error(ErrorCode::corrupt_file, "overlong", [&] { unzstd(as_bytes(good + '\0'), "f", 2000); });
  expect_error(ErrorCode::corrupt_file, "overlong", [&] { unzstd(as_bytes(good + good), "f", 4000); });
  for (std::size_t size = 0; size < good.size(); ++size) {
    expect_error(ErrorCode::corrupt_file, "zstd frame", [&] { unzstd(as_bytes(good.substr(0, size)), "f", 2000); });
  }
  for (std::size_t i = 0; i < good.size();
       ++i) {  // zstd has a reserved bit or two; what it accepts is the same content
    bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
    if (!is_zstd(as_bytes(bytes))) continue;
    expect_error(ErrorCode::corrupt_file, "", [&] { unzstd(as_bytes(bytes), "f", 2000); });
  }
}

TEST(ZstdFile, WithoutItsSizeAFrameIsRefused) {
  // One raw block of one byte in a frame with a window and no content size.
  const std::string bytes("\x28\xb5\x2f\xfd\x00\x00\x09\0\0x", 10);
  expect_error(ErrorCode::corrupt_file, "without", [&] { unzstd(as_bytes(bytes), "f", 2000); });
}

TEST(ZstdFile, TheBoundOfAStateIsItsSizeAndALittle) {
  const config::StateSpec spec = made_up_spec(config::Architecture::large);
  const std::size_t most = most_content_bytes(spec, kVocab);
  EXPECT_GT(most, spec.nbytes(DType::float32) + 4 * kVocab + 4 * kMostCompressedIds);
  EXPECT_LT(most, spec.nbytes(DType::float32) + 4 * kVocab + 4 * kMostCompressedIds + (2u << 20));
}

}  // namespace
}  // namespace xlstm::state
