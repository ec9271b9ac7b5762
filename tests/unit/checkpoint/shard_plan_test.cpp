#include "xlstm/checkpoint/shard_plan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace xlstm::checkpoint {
namespace {

using Sizes = std::vector<std::size_t>;

TEST(CutIntoShards, FillsEachFileUpToTheLimit) {
  EXPECT_EQ(cut_into_shards(Sizes{3, 4, 5}, 12), (Sizes{3}));
  EXPECT_EQ(cut_into_shards(Sizes{3, 4, 5}, 11), (Sizes{2, 3}));
  EXPECT_EQ(cut_into_shards(Sizes{3, 4, 5}, 7), (Sizes{2, 3}));
  EXPECT_EQ(cut_into_shards(Sizes{3, 4, 5}, 6), (Sizes{1, 2, 3}));
}

TEST(CutIntoShards, AnItemBeyondTheLimitHasAFileOfItsOwn) {
  EXPECT_EQ(cut_into_shards(Sizes{1, 9, 1, 1}, 2), (Sizes{1, 2, 4}));
  EXPECT_EQ(cut_into_shards(Sizes{SIZE_MAX, 1, SIZE_MAX}, 1), (Sizes{1, 2, 3}));
}

TEST(CutIntoShards, ThereIsAlwaysAFile) { EXPECT_EQ(cut_into_shards(Sizes{}, 5), (Sizes{0})); }

TEST(CutIntoShards, EveryItemIsInOneFileAndNoFileIsEmptyOrTooLarge) {
  Sizes sizes;
  for (std::size_t i = 0; i < 100; ++i) sizes.push_back(i * 37 % 23);
  for (std::size_t limit = 1; limit < 60; ++limit) {
    std::size_t begin = 0;
    for (const std::size_t end : cut_into_shards(sizes, limit)) {
      ASSERT_LT(begin, end) << limit;
      const std::size_t bytes = std::accumulate(sizes.begin() + static_cast<std::ptrdiff_t>(begin),
                                                sizes.begin() + static_cast<std::ptrdiff_t>(end), std::size_t{0});
      ASSERT_TRUE(bytes <= limit || end - begin == 1) << limit;
      begin = end;
    }
    ASSERT_EQ(begin, sizes.size());
  }
}

TEST(ShardNames, AreThoseOfTheTwoLayouts) {
  EXPECT_EQ(shard_names(1), std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(shard_names(1, true), std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ(shard_names(2),
            (std::vector<std::string>{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}));
  EXPECT_EQ(shard_names(2, true), (std::vector<std::string>{"model_0.safetensors", "model_1.safetensors"}));
}

TEST(OrderForAlignment, PutsWideTypesFirstAndKeepsTheOrderOtherwise) {
  std::vector<TensorView> tensors = {{"a", DType::bfloat16, {3}, nullptr, ""},
                                     {"b", DType::uint32, {1}, nullptr, ""},
                                     {"c", DType::float16, {1}, nullptr, ""},
                                     {"d", DType::float32, {1}, nullptr, ""}};
  order_for_alignment(tensors);
  std::string order;
  for (const TensorView& tensor : tensors) order += tensor.name;
  EXPECT_EQ(order, "bdac");
}

}  // namespace
}  // namespace xlstm::checkpoint
