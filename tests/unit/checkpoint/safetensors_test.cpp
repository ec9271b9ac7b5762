#include "xlstm/checkpoint/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/full_disk.h"
#include "xlstm/base/error.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

class SafetensorsTest : public ::testing::Test {
 protected:
  SafetensorsTest() {
    std::string name = (fs::temp_directory_path() / "xlstm_safetensors_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~SafetensorsTest() override { fs::remove_all(directory_); }

  fs::path path(const std::string& name) const { return directory_ / name; }
  std::size_t count_files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

 private:
  fs::path directory_;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A file in memory whose first byte lies `shift` bytes after a multiple of 64.
struct Image {
  Image(const std::string& header, const std::string& data, std::size_t shift = 0)
      : bytes(shift + 8 + header.size() + data.size() + 64) {
    auto* start = reinterpret_cast<char*>(bytes.data());
    start += (64 - reinterpret_cast<std::uintptr_t>(start) % 64) % 64 + shift;
    const std::uint64_t length = header.size();
    std::memcpy(start, &length, 8);
    std::memcpy(start + 8, header.data(), header.size());
    std::memcpy(start + 8 + header.size(), data.data(), data.size());
    view = {std::as_bytes(std::span(start, 8 + header.size() + data.size())), nullptr};
  }
  std::vector<std::byte> bytes;
  Bytes view;
};

TensorView tensor(const std::string& name, DType dtype, Shape shape, const void* data) {
  return {name, dtype, std::move(shape), static_cast<const std::byte*>(data), ""};
}

TEST_F(SafetensorsTest, WhatIsWrittenIsReadBack) {
  const std::array<float, 6> matrix = {1, -2, 3.5f, 4, 5, -6};
  const std::array<std::uint16_t, 3> half = {0x3f80, 0x4000, 0xc000};
  const std::array<std::int32_t, 2> ids = {7, -1};
  const std::vector<TensorView> tensors = {tensor("z.matrix", DType::float32, {2, 3}, matrix.data()),
                                           tensor("a \"quoted\"\n\u00e9", DType::bfloat16, {3}, half.data()),
                                           tensor("empty", DType::float32, {0, 4}, nullptr),
                                           tensor("scalar", DType::int32, {}, ids.data())};
  const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"note", "line\nbreak"}};
  write_safetensors(path("a.safetensors"), tensors, metadata);

  const SafetensorsFile file = open_safetensors(path("a.safetensors"));
  EXPECT_EQ(file.metadata, metadata);
  ASSERT_EQ(file.tensors.size(), tensors.size());
  for (const TensorView& wanted : tensors) {
    const TensorView& found = file.tensors.at(wanted.name);
    EXPECT_EQ(found.dtype, wanted.dtype);
    EXPECT_EQ(found.shape, wanted.shape);
    if (wanted.nbytes() > 0) {
      EXPECT_EQ(std::memcmp(found.data, wanted.data, wanted.nbytes()), 0) << wanted.name;
    }
  }
}

TEST_F(SafetensorsTest, TensorsAreWrittenInTheOrderGivenFromAnAlignedByteOn) {
  const std::array<float, 2> values = {1, 2};
  const std::vector<TensorView> tensors = {tensor("z", DType::float32, {1}, &values[0]),
                                           tensor("a", DType::float32, {1}, &values[1])};
  write_safetensors(path("a"), tensors, {});
  const SafetensorsFile file = open_safetensors(path("a"));
  EXPECT_EQ(file.tensors.at("a").data - file.tensors.at("z").data, 4);
  EXPECT_EQ((file.tensors.at("z").data - file.bytes.data.data()) % 64, 0);
  EXPECT_TRUE(file.copied.empty());
}

RC_GTEST_PROP(Safetensors, AnyBytesSurviveARoundTrip, (const std::vector<std::uint8_t>& bytes)) {
  const auto note = *rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
  const fs::path path = fs::temp_directory_path() / ("xlstm_round_trip_" + std::to_string(::getpid()));
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::vector<TensorView> tensors = {tensor("bytes", DType::uint8, {size}, bytes.data())};
  write_safetensors(path, tensors, {{"note", note}});
  const SafetensorsFile file = open_safetensors(path);
  fs::remove(path);
  RC_ASSERT(file.metadata.at("note") == note);
  const auto* data = reinterpret_cast<const std::uint8_t*>(file.tensors.at("bytes").data);
  RC_ASSERT(std::vector<std::uint8_t>(data, data + bytes.size()) == bytes);
}

TEST_F(SafetensorsTest, PiecesMayBeWrittenInAnyOrder) {
  const std::vector<float> first = {1, 2, 3}, second = {4, 5};
  const std::vector<TensorView> tensors = {tensor("a", DType::float32, {3}, first.data()),
                                           tensor("b", DType::float32, {2}, second.data())};
  write_safetensors(path("whole"), tensors, {{"format", "pt"}});
  SafetensorsWriter writer(path("pieces"), tensors, {{"format", "pt"}});
  writer.write(1, 4, std::as_bytes(std::span(second).subspan(1)));
  writer.write(0, 0, std::as_bytes(std::span(first).first(2)));
  writer.write(1, 0, std::as_bytes(std::span(second).first(1)));
  EXPECT_THROW(writer.commit(), Error);
  EXPECT_THROW(writer.write(0, 8, std::as_bytes(std::span(first))), Error);  // into the next tensor
  writer.write(0, 8, std::as_bytes(std::span(first).subspan(2)));
  writer.commit();
  EXPECT_EQ(contents(path("pieces")), contents(path("whole")));
}

TEST_F(SafetensorsTest, NamesThatCannotBeWrittenAreRefusedAndNothingIsLeft) {
  const float value = 1;
  const TensorView one = tensor("x", DType::float32, {1}, &value);
  for (const std::vector<TensorView>& tensors : {std::vector{one, one},
                                                 {tensor("__metadata__", DType::float32, {1}, &value)},
                                                 {tensor(std::string(257, 'x'), DType::float32, {1}, &value)},
                                                 {tensor("\xff\xfe", DType::float32, {1}, &value)}}) {
    try {
      write_safetensors(path("bad"), tensors, {});
      ADD_FAILURE() << "it was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
    }
  }
  EXPECT_EQ(count_files(), 0u);
}

TEST_F(SafetensorsTest, AMissingDirectoryIsAClearError) {
  try {
    write_safetensors(path("no/such/file"), {}, {});
    FAIL() << "it was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_NE(std::string(error.what()).find("no/such/file"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos) << error.what();
  }
}

TEST_F(SafetensorsTest, WhatIsNoRegularFileIsNotReplaced) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  std::filesystem::create_directory(path("directory"));
  for (const auto& [name, what] : {std::pair("pipe", "a device or a pipe"), std::pair("directory", "a directory")}) {
    const std::filesystem::file_type before = std::filesystem::status(path(name)).type();
    try {
      write_safetensors(path(name), {}, {});
      ADD_FAILURE() << "it was written: " << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument) << error.what();
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
    }
    EXPECT_EQ(std::filesystem::status(path(name)).type(), before) << name;
  }
  EXPECT_EQ(count_files(), 2u);
}

TEST_F(SafetensorsTest, AWriteThatFailsHalfWayLeavesTheOldFile) {
  const std::vector<float> small(16, 1.0f), big(1 << 20, 2.0f);
  const std::vector<TensorView> old_tensors = {tensor("x", DType::float32, {16}, small.data())};
  const std::vector<TensorView> new_tensors = {tensor("x", DType::float32, {1 << 20}, big.data())};
  write_safetensors(path("a"), old_tensors, {});
  const std::string before = contents(path("a"));

  tests::expect_refused_by_a_full_disk(64 << 10, [&] { write_safetensors(path("a"), new_tensors, {}); });
  EXPECT_EQ(contents(path("a")), before);
  EXPECT_EQ(count_files(), 1u);  // no temporary file either
}

TEST_F(SafetensorsTest, WhatAKilledProcessHasLeftIsRemovedByTheNext) {
  const std::string dead = ".999999999.0.tmp";  // no process has such a number
  const auto put = [&](const std::string& name) { std::ofstream(path(name)) << "half"; };
  for (const char* name : {".f", ".g"}) put(name + dead);
  for (const char* name : {".f.x.0.tmp", ".f.999999999.0.tmp.kept"}) put(name);
  fs::create_directory(path(".f.999999999.1.tmp"));
  put(".f.999999999.2.tmp");
  TemporaryLock lock;  // as a process of another machine has it
  ASSERT_TRUE(lock.take(path(".f.999999999.2.tmp")));
  const std::size_t before = count_files();
  { const AtomicFile file(path("f")); }
  EXPECT_FALSE(fs::exists(path(".f" + dead)));
  EXPECT_EQ(count_files(), before - 1);
}

TEST_F(SafetensorsTest, AnOldFileThatIsInUseKeepsItsValuesWhenItIsReplaced) {
  const float first = 1, second = 2;
  write_safetensors(path("a"), std::vector{tensor("x", DType::float32, {1}, &first)}, {});
  const SafetensorsFile in_use = open_safetensors(path("a"));
  write_safetensors(path("a"), std::vector{tensor("x", DType::float32, {1}, &second)}, {});
  float value = 0;
  std::memcpy(&value, in_use.tensors.at("x").data, sizeof value);
  EXPECT_EQ(value, 1);
}

TEST(Safetensors, AlignedTensorsAreUsedInPlaceAndOthersAreCopied) {
  const std::string header =
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  const float value = 2.5f;
  std::string data(5, '\0');
  std::memcpy(data.data() + 1, &value, sizeof value);
  const Image image(header, data);
  const SafetensorsFile file = parse_safetensors(image.view, "memory");
  EXPECT_EQ(file.copied, std::set<std::string>{"f"});
  const TensorView& copy = file.tensors.at("f");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(copy.data) % alignof(float), 0u);
  EXPECT_EQ(*reinterpret_cast<const float*>(copy.data), 2.5f);
  const auto* inside = file.tensors.at("b").data;
  EXPECT_TRUE(inside >= image.view.data.data() && inside < image.view.data.data() + image.view.data.size());
}

TEST(Safetensors, EveryShiftOfTheFileGivesAlignedTensors) {
  const std::string header =
      R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]},"h":{"dtype":"BF16","shape":[1],"data_offsets":[16,18]}})";
  const std::string data = "0123456789abcdefgh";
  for (std::size_t shift = 0; shift < 16; ++shift) {
    const Image image(header, data, shift);
    const SafetensorsFile file = parse_safetensors(image.view, "memory");
    for (const auto& [name, view] : file.tensors) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % dtype_size(view.dtype), 0u)
          << name << ", shift " << shift;
    }
    EXPECT_EQ(std::memcmp(file.tensors.at("d").data, data.data(), 16), 0) << shift;
    EXPECT_EQ(std::memcmp(file.tensors.at("h").data, data.data() + 16, 2), 0) << shift;
  }
}

TEST(Safetensors, LimitsTheNumberOfTensors) {
  std::string header = "{";
  for (std::size_t i = 0; i <= kMaxTensors; ++i) {
    if (i > 0) header += ',';
    header.append(1, '"').append(std::to_string(i)).append(R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  }
  header += '}';
  try {
    parse_safetensors(Image(header, "").view, "memory");
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt_file);
    EXPECT_NE(std::string(error.what()).find("at most 50000 tensors"), std::string::npos) << error.what();
  }
}

TEST(Safetensors, AnEmptyTableIsAFile) {
  const SafetensorsFile file = parse_safetensors(Image("{}", "").view, "memory");
  EXPECT_TRUE(file.tensors.empty());
}

TEST_F(SafetensorsTest, OnlyRegularFilesAreMapped) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  for (const fs::path& bad : {path(""), path("pipe"), fs::path("/dev/zero")}) {
    try {
      map_file(bad);
      ADD_FAILURE() << bad;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt_file) << error.what();
    }
  }
  EXPECT_THROW(map_file(path("nothing")), Error);
}

}  // namespace
}  // namespace xlstm::checkpoint
