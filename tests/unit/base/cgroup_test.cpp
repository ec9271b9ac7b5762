#include "xlstm/base/cgroup.h"

#include <gtest/gtest.h>

#include "tests/unit/base/made_up_system.h"

namespace xlstm {
namespace {

class CgroupTest : public testing::MadeUpSystemTest {};

TEST_F(CgroupTest, WithoutGroupsNothingIsLimited) {
  const CgroupLimits limits = cgroup_limits(root());
  EXPECT_FALSE(limits.cpus);
  EXPECT_FALSE(limits.memory_bytes);
}

TEST_F(CgroupTest, TheDirectoriesAreTheGroupItsAncestorsAndTheMount) {
  write("proc/self/cgroup", "3:cpu,cpuacct:/x\n0::/a/b\n");
  std::vector<std::string> found;
  for (const CgroupDirectory& group : cgroup_directories("cpu", root())) {
    found.push_back(group.path.lexically_relative(root() / "sys/fs/cgroup").string() + (group.is_v2 ? " v2" : " v1"));
  }
  EXPECT_EQ(found, (std::vector<std::string>{"cpu/x v1", "cpu v1", "a/b v2", "a v2", ". v2"}));
  EXPECT_EQ(cgroup_directories("memory", root()).size(), 3u);
}

TEST_F(CgroupTest, ALineThatIsNoGroupIsPassedOver) {
  write("proc/self/cgroup", "nonsense\n0:\n\n");
  EXPECT_TRUE(cgroup_directories("cpu", root()).empty());
}

TEST_F(CgroupTest, TheTightestAncestorLimits) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  write("sys/fs/cgroup/cpu.max", "400000 100000\n");
  write("sys/fs/cgroup/a/b/memory.max", "9000\n");
  write("sys/fs/cgroup/a/memory.max", "max\n");
  write("sys/fs/cgroup/memory.max", "8000\n");
  const CgroupLimits limits = cgroup_limits(root());
  ASSERT_TRUE(limits.cpus && limits.memory_bytes);
  EXPECT_EQ(*limits.cpus, 1.5);
  EXPECT_EQ(*limits.memory_bytes, 8000u);
}

TEST_F(CgroupTest, VersionOneLimitsToo) {
  write("proc/self/cgroup", "2:cpu:/x\n4:memory:/y\n");
  write("sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "50000\n");
  write("sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/y/memory.limit_in_bytes", "700\n");
  const CgroupLimits limits = cgroup_limits(root());
  ASSERT_TRUE(limits.cpus && limits.memory_bytes);
  EXPECT_EQ(*limits.cpus, 0.5);
  EXPECT_EQ(*limits.memory_bytes, 700u);
}

TEST_F(CgroupTest, VersionOneHasNumbersForNoLimit) {
  write("proc/self/cgroup", "2:cpu:/\n4:memory:/\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const CgroupLimits limits = cgroup_limits(root());
  EXPECT_FALSE(limits.cpus);
  EXPECT_FALSE(limits.memory_bytes);
}

}  // namespace
}  // namespace xlstm
