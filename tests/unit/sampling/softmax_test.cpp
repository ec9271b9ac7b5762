// The arithmetic under sampling: exponentials against long double, and draws at the ends of the unit interval.
#include "xlstm/sampling/softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace xlstm::sampling {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(CheckedMax, FindsTheLargestAtEverySizeAndPlace) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> scores(size, -3.5f);
      scores[at] = -1.25f;
      EXPECT_EQ(checked_max(scores), -1.25f);
      scores[at] = 7.0f;
      EXPECT_EQ(checked_max(scores), 7.0f);
    }
  }
}

TEST(SoftmaxWeights, AreExponentialsAtEverySize) {
  for (const std::size_t size : {0, 1, 3, 4, 5, 255, 256, 257, 1000}) {
    std::vector<float> scores(size), weights(size, -1.0f);
    for (std::size_t i = 0; i < size; ++i) scores[i] = 2.0f - 0.08f * static_cast<float>(i);
    const double total = softmax_weights(scores, 2.0f, 0.9f, weights);
    long double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const long double expected =
          std::exp((static_cast<long double>(scores[i]) - 2.0L) / static_cast<long double>(0.9f));
      EXPECT_NEAR(weights[i], static_cast<double>(expected), 1e-5 * static_cast<double>(expected) + 1e-37) << i;
      sum += expected;
    }
    EXPECT_NEAR(total, static_cast<double>(sum), 1e-6 * static_cast<double>(sum));
  }
}

TEST(SoftmaxWeights, IsExactAtTheEnds) {
  const std::vector<float> scores = {0.0f, -0.0f, -kInf, -1e30f, -88.0f, -std::numeric_limits<float>::max()};
  std::vector<float> weights(scores.size());
  EXPECT_EQ(softmax_weights(scores, 0.0f, 1.0f, weights), 2.0);
  EXPECT_EQ(weights, (std::vector<float>{1, 1, 0, 0, 0, 0}));
}

TEST(InverseCdf, NeverPicksWeightZeroEvenAtTheEnds) {
  for (const std::size_t size : {1, 2, 255, 256, 257, 512, 700}) {
    for (std::size_t at = 0; at < size; ++at) {
      std::vector<float> weights(size, 0.0f);
      weights[at] = 0.3f;
      const double total = static_cast<double>(weights[at]);
      for (const double u : {1e-17, 0.5, 1 - 0x1p-53}) EXPECT_EQ(inverse_cdf(weights, total, u), at);
      EXPECT_EQ(inverse_cdf(weights, total * (1 + 1e-12), 1 - 0x1p-53), at);  // a total that rounding made too large
    }
  }
}

TEST(InverseCdf, CutsTheUnitIntervalInProportion) {
  const std::vector<float> weights = {1, 0, 2, 1};
  EXPECT_EQ(inverse_cdf(weights, 4, 0.2499), 0u);
  EXPECT_EQ(inverse_cdf(weights, 4, 0.2501), 2u);
  EXPECT_EQ(inverse_cdf(weights, 4, 0.7499), 2u);
  EXPECT_EQ(inverse_cdf(weights, 4, 0.7501), 3u);
}

}  // namespace
}  // namespace xlstm::sampling
