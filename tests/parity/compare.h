// Comparisons of float32 data for tests. A value that is not finite, on either side, never compares equal.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace xlstm::parity {

/// |a - b|, or infinity when either is not finite.
inline double distance(float a, float b) {
  const bool finite = std::isfinite(a) && std::isfinite(b);
  return finite ? std::abs(double(a) - double(b)) : std::numeric_limits<double>::infinity();
}

/// Every |actual - expected| <= bound.
inline testing::AssertionResult within(std::span<const float> actual, std::span<const float> expected, double bound) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << actual.size() << " values, expected " << expected.size();
  }
  std::size_t worst = 0;
  double largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double d = distance(actual[i], expected[i]);
    if (d > largest) worst = i, largest = d;
  }
  if (largest <= bound) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "differs by " << largest << " (allowed " << bound << ") at " << worst << " of "
                                     << actual.size() << ": " << actual[worst] << ", expected " << expected[worst];
}

/// max|actual - expected| <= factor * max|expected|.
inline testing::AssertionResult within_relative(std::span<const float> actual, std::span<const float> expected,
                                                double factor) {
  double largest = 0;
  for (const float value : expected) largest = std::max(largest, std::abs(double(value)));
  return within(actual, expected, std::isfinite(largest) ? factor * largest : 0);
}

/// Every value finite and of the same bits.
inline testing::AssertionResult same_bits(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << actual.size() << " values, expected " << expected.size();
  }
  std::size_t different = 0, first = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const bool same = std::bit_cast<std::uint32_t>(actual[i]) == std::bit_cast<std::uint32_t>(expected[i]);
    if (same && std::isfinite(actual[i])) continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << different << " of " << actual.size() << " values differ, the first at " << first
                                     << ": " << actual[first] << ", expected " << expected[first];
}

}  // namespace xlstm::parity
