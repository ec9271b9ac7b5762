// Philox against the known answers of its authors (Random123, kat_vectors), and the uniform numbers made of it.
#include "xlstm/base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

namespace xlstm {
namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox4x32, GivesThePublishedAnswers) {
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, IsThePhiloxOfItsKeyAndLiesInsideTheUnitInterval) {
  // given the answer above for a counter and a key of zeros: words 0 and 1, their upper 53 bits
  const auto bits = (std::uint64_t{0x6627e8d5} << 32 | 0xe169c58d) >> 11;
  EXPECT_EQ(uniform({0, 0}, 0), (static_cast<double>(bits) + 0.5) * 0x1p-53);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double u = uniform({i % 7, i}, i % 3);
    ASSERT_GT(u, 0.0);
    ASSERT_LT(u, 1.0);
  }
}

TEST(Uniform, EveryPartOfTheKeyCounts) {
  const std::uint64_t high = std::uint64_t{1} << 32;
  const std::set<double> numbers = {uniform({0, 0}, 0),   uniform({1, 0}, 0),    uniform({high, 0}, 0),
                                    uniform({0, 1}, 0),   uniform({0, high}, 0), uniform({0, 0}, 1),
                                    uniform({0, 0}, high)};
  EXPECT_EQ(numbers.size(), 7u);
}

// Mean and spread of 100,000 numbers within five standard errors: 5 * sqrt(1/12 / n) = 0.0046, for the square's mean
// 0.0047.
TEST(Uniform, HasTheMomentsOfTheUniformDistribution) {
  constexpr int kCount = 100'000;
  double mean = 0, square = 0;
  for (int i = 0; i < kCount; ++i) {
    const double u = uniform({42, static_cast<std::uint64_t>(i)});
    mean += u / kCount;
    square += u * u / kCount;
  }
  EXPECT_NEAR(mean, 0.5, 0.0046);
  EXPECT_NEAR(square, 1.0 / 3, 0.0047);
}

}  // namespace
}  // namespace xlstm
