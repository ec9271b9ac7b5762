#include "xlstm/checkpoint/available_memory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

// A made-up /proc and /sys.
class AvailableMemoryTest : public ::testing::Test {
 protected:
  AvailableMemoryTest() {
    std::string name = (fs::temp_directory_path() / "xlstm_memory_XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~AvailableMemoryTest() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  std::size_t available() const { return available_memory_bytes(root_); }

 private:
  fs::path root_;
};

TEST_F(AvailableMemoryTest, NothingKnownMeansNoLimit) { EXPECT_EQ(available(), SIZE_MAX); }

TEST_F(AvailableMemoryTest, ReadsMemAvailable) {
  write("proc/meminfo", "MemTotal: 4000 kB\nMemAvailable:    1000 kB\n");
  EXPECT_EQ(available(), 1000u * 1024);
}

TEST_F(AvailableMemoryTest, TheTightestCgroupAboveTheProcessLimits) {
  write("proc/meminfo", "MemAvailable: 1000000 kB\n");
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "500\n");
  write("sys/fs/cgroup/a/memory.max", "9000\n");
  write("sys/fs/cgroup/a/memory.current", "5000\n");
  EXPECT_EQ(available(), 4000u);
}

TEST_F(AvailableMemoryTest, PageCacheOfTheGroupCountsAsFree) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/memory.max", "9000\n");
  write("sys/fs/cgroup/memory.current", "8000\n");
  write("sys/fs/cgroup/memory.stat", "anon 1000\ninactive_file 4000\nactive_file 3000\n");
  EXPECT_EQ(available(), 8000u);
}

TEST_F(AvailableMemoryTest, VersionOneGroupsLimitToo) {
  write("proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
  write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "700\n");
  write("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "900\n");
  EXPECT_EQ(available(), 0u);
}

TEST(RequireMemory, SaysWhatIsNeededAndWhatIsLeft) {
  const AvailableMemory hundred = [] { return std::size_t{100}; };
  EXPECT_NO_THROW(require_memory(100, "model", "weights", hundred));
  try {
    require_memory(101, "model", "weights", hundred);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
    EXPECT_STREQ(error.what(),
                 "[model] not enough memory for weights: expected at least 101 bytes available but got 100");
  }
}

TEST(AvailableMemory, ThisMachineHasSome) { EXPECT_GT(available_memory_bytes(), 0u); }

}  // namespace
}  // namespace xlstm::checkpoint
