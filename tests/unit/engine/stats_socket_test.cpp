#include "xlstm/engine/stats_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

class StatsSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "xlstm-stats-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

scheduler::Stats some_stats() {
  scheduler::Stats stats;
  stats.running = 3;
  stats.generated_tokens = 42;
  stats.first_token_seconds.observe(0.5);
  return stats;
}

TEST_F(StatsSocketTest, SendsALineAtOnceAndAnotherASecondLater) {
  const std::filesystem::path path = directory_ / "socket";
  {
    const StatsSocket socket(path, some_stats);
    struct stat status = {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    int lines = 0;
    read_stats(path, [&](const std::string& line) {
      const auto stats = nlohmann::json::parse(line);
      EXPECT_EQ(stats["running"], 3);
      EXPECT_EQ(stats["generated_tokens"], 42);
      EXPECT_EQ(stats["first_token_seconds"]["count"], 1);
      return ++lines < 2;
    });
    EXPECT_EQ(lines, 2);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StatsSocketTest, AReaderSeesTheEnd) {
  const std::filesystem::path path = directory_ / "socket";
  auto socket = std::make_unique<StatsSocket>(path, some_stats);
  int lines = 0;
  read_stats(path, [&](const std::string&) {
    ++lines;
    socket.reset();
    return true;
  });
  EXPECT_EQ(lines, 1);
}

TEST_F(StatsSocketTest, NothingThatIsInUseIsReplaced) {
  const std::filesystem::path file = directory_ / "file", path = directory_ / "socket";
  std::ofstream(file) << "kept";
  EXPECT_THROW(StatsSocket(file, some_stats), Error);
  EXPECT_EQ(std::filesystem::file_size(file), 4u);
  const StatsSocket socket(path, some_stats);
  EXPECT_THROW(StatsSocket(path, some_stats), Error);
  EXPECT_THROW(StatsSocket(directory_ / std::string(200, 'x'), some_stats), Error);
  EXPECT_THROW(StatsSocket(directory_ / "none" / "socket", some_stats), Error);
}

TEST_F(StatsSocketTest, WhatAKilledRunLeftBehindIsReplaced) {
  const std::filesystem::path path = directory_ / "socket";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(dead);
  const StatsSocket socket(path, some_stats);
  read_stats(path, [](const std::string& line) {
    EXPECT_FALSE(line.empty());
    return false;
  });
}

TEST_F(StatsSocketTest, WithNobodyThereReadingIsAnError) {
  EXPECT_THROW(read_stats(directory_ / "nothing", [](const std::string&) { return true; }), Error);
}

}  // namespace
}  // namespace xlstm::engine
