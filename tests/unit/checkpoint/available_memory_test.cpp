#include "xlstm/checkpoint/available_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "tests/unit/base/made_up_system.h"
#include "xlstm/base/error.h"

namespace xlstm::checkpoint {
namespace {

class AvailableMemoryTest : public testing::MadeUpSystemTest {
 protected:
  std::size_t available() const { return available_memory_bytes(root()); }
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
