// Comparing a float32 kernel with the double oracle: every test says how large the error may be, from epsilon and
// length.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace xlstm::testing {

/// u: the relative error of one rounding to float32, 2^-24. A sum of n products in any order is within n u / (1 - n u)
/// of sum |a_i b_i| (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
inline constexpr double kUnit = 0x1p-24;
/// Relative errors of Highway's functions by its documentation, in u: exp 1 ulp = 2 u, log1p 2 ulp, tanh 4 ulp.
inline constexpr double kExpError = 2 * kUnit, kLog1pError = 4 * kUnit, kTanhError = 8 * kUnit;

/// |actual - expected| <= bound; a NaN on either side is out of bounds.
inline bool within(double actual, double expected, double bound) { return std::abs(actual - expected) <= bound; }

/// Element by element with a bound each.
inline void expect_within(const std::vector<float>& actual, const std::vector<double>& expected,
                          const std::vector<double>& bound, std::string_view what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  ASSERT_EQ(actual.size(), bound.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_PRED3(within, actual[i], expected[i], bound[i]) << what << " at " << i << " of " << actual.size();
  }
}

/// The same bits; NaNs are compared by their bits too.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace xlstm::testing
