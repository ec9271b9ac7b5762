#include "xlstm/scheduler/stats.h"

#include <gtest/gtest.h>

#include <cmath>

namespace xlstm::scheduler {
namespace {

TEST(Histogram, OfNothingIsZero) {
  const Histogram none;
  EXPECT_EQ(none.count(), 0u);
  EXPECT_EQ(none.quantile(0.5), 0);
}

TEST(Histogram, PutsATimeIntoTheBucketWhoseEndIsNotBelowIt) {
  Histogram histogram;
  for (const double seconds : {0.0, 1e-4, 1.0001e-4, 1.0, 1e9}) histogram.observe(seconds);
  EXPECT_EQ(histogram.buckets()[0], 2u);
  EXPECT_EQ(histogram.buckets()[1], 1u);
  EXPECT_EQ(histogram.buckets()[14], 1u);  // 0.8192 s < 1 s <= 1.6384 s
  EXPECT_EQ(histogram.buckets().back(), 1u);
  EXPECT_TRUE(std::isinf(Histogram::upper(Histogram::kBuckets - 1)));
  EXPECT_GT(Histogram::upper(Histogram::kBuckets - 2), 3000.0);
  EXPECT_EQ(histogram.count(), 5u);
}

TEST(Histogram, QuantilesAreAtMostABucketTooHigh) {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) histogram.observe(i * 1e-3);
  for (const double share : {0.1, 0.5, 0.99, 1.0}) {
    EXPECT_GE(histogram.quantile(share), share) << share;
    EXPECT_LE(histogram.quantile(share), 2 * share) << share;
  }
}

}  // namespace
}  // namespace xlstm::scheduler
