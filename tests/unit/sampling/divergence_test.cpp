// The divergence of two distributions, against the definition in long double.
#include "xlstm/sampling/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"

namespace xlstm::sampling {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

using Logits = std::vector<float>;

std::vector<long double> probabilities(const Logits& logits) {
  std::vector<long double> p;
  long double total = 0;
  for (const float logit : logits) total += p.emplace_back(std::exp(static_cast<long double>(logit)));
  for (long double& value : p) value /= total;
  return p;
}

double by_definition(const Logits& a, const Logits& b) {
  const std::vector<long double> p = probabilities(a), q = probabilities(b);
  long double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return static_cast<double>(sum);
}

Logits random_logits(std::size_t size, std::uint64_t stream, float spread) {
  Logits logits(size);
  for (std::size_t i = 0; i < size; ++i) {
    logits[i] = spread * static_cast<float>(uniform({17, stream}, i) - 0.5);
  }
  return logits;
}

TEST(KlDivergence, IsTheDefinitionAtEverySizeAndSpread) {
  for (const std::size_t size : {1, 2, 3, 100, 4097}) {
    for (const float spread : {0.01f, 1.0f, 30.0f, 200.0f}) {
      const Logits p = random_logits(size, 1, spread), q = random_logits(size, 2, spread);
      const double expected = by_definition(p, q);
      EXPECT_NEAR(kl_divergence(p, q), expected, 1e-13 + 1e-12 * expected) << size << ' ' << spread;
    }
  }
}

TEST(KlDivergence, OfTwoCoinsByHand) {
  // p = (1/2, 1/2), q = (3/4, 1/4): ln 2 - ln 3 / 2.
  EXPECT_NEAR(kl_divergence(Logits{5, 5}, Logits{std::log(3.0f), 0}), std::log(2.0) - std::log(3.0) / 2, 1e-7);
}

TEST(KlDivergence, OfEqualLogitsIsExactlyNothing) {
  for (const float spread : {0.01f, 30.0f, 500.0f}) {
    const Logits p = random_logits(1000, 3, spread);
    EXPECT_EQ(kl_divergence(p, p), 0.0);
  }
}

TEST(KlDivergence, OfTinyDifferencesLosesNothingAndIsNeverNegative) {
  for (std::uint64_t stream = 0; stream < 50; ++stream) {
    Logits p = random_logits(64, stream, 4.0f), q = p;
    q[stream] = std::nextafter(q[stream], 100.0f);
    const double found = kl_divergence(p, q);
    EXPECT_GE(found, 0.0);
    EXPECT_LT(found, 1e-13);
    q[stream] += 1e-3f;
    EXPECT_NEAR(kl_divergence(p, q), by_definition(p, q), 1e-14);
  }
}

TEST(KlDivergence, DoesNotChangeWhenLogitsAreShifted) {
  const Logits p = {1, 2, 3}, q = {3, 1, 2}, far = {-61, -60, -59};
  EXPECT_NEAR(kl_divergence(far, q), kl_divergence(p, q), 1e-14);
}

TEST(KlDivergence, KnowsIdsThatCannotBeDrawn) {
  EXPECT_NEAR(kl_divergence(Logits{0, -kInf}, Logits{0, 0}), std::log(2.0), 1e-15);
  EXPECT_EQ(kl_divergence(Logits{0, 0}, Logits{0, -kInf}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(kl_divergence(Logits{0, -kInf}, Logits{0, -kInf}), 0.0);
  EXPECT_EQ(kl_divergence(Logits{0, -1e30f}, Logits{0, -kInf}), 0.0);
}

TEST(KlDivergence, RefusesWhatIsNoNumber) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInf}) {
    EXPECT_THROW(kl_divergence(Logits{0, bad}, Logits{0, 0}), Error);
    EXPECT_THROW(kl_divergence(Logits{0, 0}, Logits{bad, 0}), Error);
  }
}

}  // namespace
}  // namespace xlstm::sampling
