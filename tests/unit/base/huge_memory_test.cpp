// Large memory: zeroed, aligned, owned, and refused in words when there is no room.
#include "xlstm/base/huge_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "xlstm/base/error.h"

namespace xlstm {
namespace {

TEST(AllocateHuge, IsZeroedAndStartsOnAHugePage) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{5} << 20}) {
    const auto memory = allocate_huge(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.get()) % (std::size_t{2} << 20), 0u);
    for (std::size_t i = 0; i < bytes; i += 997) ASSERT_EQ(memory.get()[i], std::byte{0});
    if (bytes > 0) memory.get()[bytes - 1] = std::byte{1};
  }
}

TEST(AllocateHuge, TooMuchIsRefused) {
  for (const std::size_t bytes : {std::numeric_limits<std::size_t>::max(), std::size_t{1} << 60}) {
    try {
      allocate_huge(bytes);
      FAIL() << "got " << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::overloaded);
    }
  }
}

}  // namespace
}  // namespace xlstm
