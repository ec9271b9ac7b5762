// Every row of a product belongs to one part, whatever the number of threads.
#include "xlstm/backend/cpu/row_cut.h"

#include <gtest/gtest.h>

#include <vector>

namespace xlstm::testing {
namespace {

using backend::RowCut;

class RowCutTest : public ::testing::TestWithParam<int> {};  // threads
INSTANTIATE_TEST_SUITE_P(Threads, RowCutTest, ::testing::Values(1, 2, 3, 5, 16, 61, 256));

TEST_P(RowCutTest, EveryRowIsInOnePart) {
  constexpr std::int64_t kMaxRows = 192;
  for (const std::int64_t tile_rows : {12, 16}) {
    for (const std::int64_t rows : {1, 4, 16, 17, 191, 192, 193, 2048, 5461}) {
      const std::int64_t all[] = {rows, 4, 1024};
      RowCut cut(GetParam(), tile_rows);
      std::vector<std::vector<int>> parts_of;
      for (const std::int64_t count : all) {
        cut.add(count, kMaxRows);
        parts_of.emplace_back(static_cast<std::size_t>(count));
      }
      for (std::int64_t i = 0; i < cut.total(); ++i) {
        const RowCut::Part part = cut.at(i);
        ASSERT_LT(part.begin, part.end);
        ASSERT_LE(part.end - part.begin, kMaxRows);
        ASSERT_LE(part.end, all[part.projection]);
        ASSERT_EQ(part.begin % tile_rows, 0);
        for (std::int64_t r = part.begin; r < part.end; ++r) {
          ++parts_of[part.projection][static_cast<std::size_t>(r)];
        }
      }
      for (std::size_t p = 0; p < parts_of.size(); ++p) {
        EXPECT_EQ(parts_of[p], std::vector<int>(parts_of[p].size(), 1)) << "projection " << p << ", rows " << rows;
      }
    }
  }
}

TEST(RowCut, SharesOfLargeMatricesAreEqual) {
  RowCut cut(2, 16);
  cut.add(5461, 192);
  cut.add(4, 192);
  EXPECT_TRUE(cut.equal_shares());
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < cut.total() / 2; ++i) first += cut.at(i).end - cut.at(i).begin;
  EXPECT_NEAR(static_cast<double>(first), 5461 / 2.0, 16);
  RowCut few(3, 16);
  few.add(32, 192);
  EXPECT_FALSE(few.equal_shares());
}

}  // namespace
}  // namespace xlstm::testing
