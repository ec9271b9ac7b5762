#include "xlstm/base/aligned_floats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "xlstm/base/error.h"

namespace xlstm {
namespace {

// One float less and more than a cache line and than a huge page of 2 MiB.
TEST(AlignedFloats, AreZeroAndBeginACacheLine) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{524287},
                                 std::size_t{524288}, std::size_t{524289}, std::size_t{1300000}}) {
    AlignedFloats values(size);
    ASSERT_EQ(values.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % 64, 0u) << size;
    EXPECT_TRUE(std::ranges::all_of(values.span(), [](float value) { return value == 0; })) << size;
    values.data()[size - 1] = 1;
  }
}

TEST(AlignedFloats, NoneAreNothing) {
  EXPECT_EQ(AlignedFloats().data(), nullptr);
  EXPECT_EQ(AlignedFloats(0).data(), nullptr);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their allocators end the program instead
TEST(AlignedFloats, MoreThanThereIsIsAnError) {
  try {
    AlignedFloats values(std::size_t{1} << 58);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
  }
}
#endif

}  // namespace
}  // namespace xlstm
