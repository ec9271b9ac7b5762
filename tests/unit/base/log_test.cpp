// The log sink: silent without one, and safe to use and to replace from many threads.
#include "xlstm/base/log.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace xlstm {
namespace {

class Log : public testing::Test {
 protected:
  void TearDown() override { set_log_sink({}); }
};

TEST_F(Log, WithoutASinkIsSilent) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  set_log_sink({});
  log(LogLevel::warning, "nobody hears");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_F(Log, HandsLevelAndMessageToTheLatestSink) {
  std::vector<std::pair<LogLevel, std::string>> first, second;
  set_log_sink([&](LogLevel level, const std::string& message) { first.emplace_back(level, message); });
  log(LogLevel::debug, "a");
  set_log_sink([&](LogLevel level, const std::string& message) { second.emplace_back(level, message); });
  log(LogLevel::info, "b");
  EXPECT_EQ(first, (std::vector<std::pair<LogLevel, std::string>>{{LogLevel::debug, "a"}}));
  EXPECT_EQ(second, (std::vector<std::pair<LogLevel, std::string>>{{LogLevel::info, "b"}}));
}

TEST_F(Log, ManyThreadsLoseNothing) {
  int heard = 0;  // not atomic: calls of the sink may not overlap
  set_log_sink([&](LogLevel, const std::string&) { ++heard; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 500; ++i) log(LogLevel::info, "x");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heard, 2000);
}

}  // namespace
}  // namespace xlstm
