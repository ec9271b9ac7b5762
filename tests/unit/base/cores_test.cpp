#include "xlstm/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>

#include "tests/unit/base/made_up_system.h"

namespace xlstm {
namespace {

class CoresTest : public testing::MadeUpSystemTest {
 protected:
  Cores with_quota(const std::string& cpu_max) {
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/cpu.max", cpu_max);
    return cores(root());
  }
};

TEST_F(CoresTest, WithoutAQuotaTheAffinityMaskCounts) {
  const Cores found = cores(root());
  EXPECT_GE(found.affinity, 1);
  EXPECT_GE(found.online, found.affinity);
  EXPECT_FALSE(found.quota);
  EXPECT_EQ(found.available, found.affinity);
}

TEST_F(CoresTest, AQuotaCutsThemAndAPartOfACoreCountsAsOne) {
  EXPECT_EQ(with_quota("100000 100000\n").available, 1);
  EXPECT_EQ(with_quota("1000 100000\n").available, 1);
  EXPECT_EQ(with_quota("100001 100000\n").available, std::min(2, cores("/nowhere").affinity));
  EXPECT_EQ(with_quota("100000000 100000\n").available, cores("/nowhere").affinity);
}

TEST_F(CoresTest, AMaskOfOneCoreLeavesOne) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  const Cores found = cores(root());
  ASSERT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(found.affinity, 1);
  EXPECT_EQ(found.available, 1);
}

}  // namespace
}  // namespace xlstm
