// The comparisons themselves can fail, above all on values that are not numbers.
#include "tests/parity/compare.h"

#include <vector>

namespace xlstm::parity {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Compare, AcceptsUpToTheBoundAndNoFurther) {
  const std::vector<float> expected = {1, -2, 100}, near = {1.25f, -2, 100}, far = {1, -2.5f, 100};
  EXPECT_TRUE(within(near, expected, 0.25));
  EXPECT_FALSE(within(far, expected, 0.25));
  EXPECT_TRUE(within_relative(far, expected, 0.005));
  EXPECT_FALSE(within_relative(far, expected, 0.0049));
}

TEST(Compare, WhatIsNotFiniteNeverComparesEqual) {
  for (const float bad : {kNan, kInf, -kInf}) {
    const std::vector<float> good = {0, 1, 2}, spoiled = {0, bad, 2};
    for (const auto& [actual, expected] :
         {std::pair(good, spoiled), std::pair(spoiled, good), std::pair(spoiled, spoiled)}) {
      EXPECT_FALSE(within(actual, expected, 1e30)) << bad;
      EXPECT_FALSE(within_relative(actual, expected, 1e30)) << bad;
      EXPECT_FALSE(same_bits(actual, expected)) << bad;
    }
  }
}

TEST(Compare, SizesMustAgree) {
  const std::vector<float> two = {1, 2}, three = {1, 2, 3}, none;
  EXPECT_FALSE(within(two, three, 10));
  EXPECT_FALSE(within(none, two, 10));
  EXPECT_FALSE(within_relative(three, two, 10));
  EXPECT_FALSE(same_bits(two, three));
  EXPECT_TRUE(within(none, none, 0));
}

TEST(Compare, SameBitsTellsTheSmallestDifference) {
  const std::vector<float> one = {1, 0}, next = {std::nextafter(1.0f, 2.0f), 0}, minus_zero = {1, -0.0f};
  EXPECT_TRUE(same_bits(one, one));
  EXPECT_FALSE(same_bits(next, one));
  EXPECT_FALSE(same_bits(minus_zero, one));
}

}  // namespace
}  // namespace xlstm::parity
