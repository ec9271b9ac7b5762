#include "xlstm/base/caches.h"

#include <gtest/gtest.h>

#include "tests/unit/base/made_up_system.h"

namespace xlstm {
namespace {

class CachesTest : public testing::MadeUpSystemTest {
 protected:
  void add(int index, const std::string& level, const std::string& type, const std::string& size) {
    const std::string cache = "sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    write(cache + "level", level + "\n");
    write(cache + "type", type + "\n");
    write(cache + "size", size + "\n");
  }
};

TEST_F(CachesTest, AreThoseForData) {
  add(0, "1", "Data", "48K");
  add(1, "1", "Instruction", "64K");
  add(2, "2", "Unified", "2048K");
  add(3, "3", "Unified", "32M");
  add(4, "4", "Unified", "128M");
  const CacheSizes sizes = cache_sizes(root());
  EXPECT_EQ(sizes.l1d, 48u << 10);
  EXPECT_EQ(sizes.l2, 2u << 20);
  EXPECT_EQ(sizes.l3, 32u << 20);
}

TEST_F(CachesTest, OneThatIsNotThereIsZero) {
  add(0, "1", "Data", "64K");
  const CacheSizes sizes = cache_sizes(root());
  EXPECT_EQ(sizes.l1d, 64u << 10);
  EXPECT_EQ(sizes.l2, 0u);
  EXPECT_EQ(sizes.l3, 0u);
}

}  // namespace
}  // namespace xlstm
