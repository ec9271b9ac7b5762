#include "xlstm/engine/statistics.h"

#include <gtest/gtest.h>

namespace xlstm::engine {
namespace {

TEST(Statistics, TheMedianIsTheMiddleOrTheMeanOfTwo) {
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(median({7}), 7);
  EXPECT_EQ(median({9, 1}), 5);
  EXPECT_EQ(median({9, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 100}), 3.5);
}

TEST(Statistics, ExtremesAndTotals) {
  EXPECT_EQ(smallest({}), 0);
  EXPECT_EQ(largest({}), 0);
  EXPECT_EQ(total({}), 0);
  EXPECT_EQ(smallest({3, 1, 2}), 1);
  EXPECT_EQ(largest({3, 1, 2}), 3);
  EXPECT_EQ(total({3, 1, 2}), 6);
}

TEST(Statistics, ARatioToNothingIsNothing) {
  EXPECT_EQ(ratio(6, 4), 1.5);
  EXPECT_EQ(ratio(6, 0), 0);
}

}  // namespace
}  // namespace xlstm::engine
