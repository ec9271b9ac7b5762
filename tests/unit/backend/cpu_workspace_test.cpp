#include "xlstm/backend/cpu/workspace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace xlstm::backend {
namespace {

TEST(WorkspaceTest, BuffersAreAlignedAndDoNotOverlap) {
  Workspace workspace;
  std::vector<std::pair<float*, std::int64_t>> taken;
  for (const std::int64_t size : {1, 16, 17, 0, 100000, 300000, 5, 262144, 1}) {
    float* const data = workspace.take(size);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0u) << size;
    std::fill_n(data, size, static_cast<float>(taken.size()));
    taken.emplace_back(data, size);
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const auto [data, size] = taken[i];
    ASSERT_TRUE(std::all_of(data, data + size, [i](float x) { return x == static_cast<float>(i); })) << i;
  }
}

TEST(WorkspaceTest, AfterAResetTheSameRequestsTakeNoNewMemory) {
  Workspace workspace;
  const std::vector<std::int64_t> requests = {3, 200000, 200000, 1000000, 7};
  std::vector<float*> first;
  for (const std::int64_t size : requests) first.push_back(workspace.take(size));
  const std::size_t bytes = workspace.nbytes();
  EXPECT_GE(bytes, static_cast<std::size_t>(1400010) * sizeof(float));
  for (int round = 0; round < 3; ++round) {
    workspace.reset();
    for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(workspace.take(requests[i]), first[i]);
    EXPECT_EQ(workspace.nbytes(), bytes);
  }
}

TEST(WorkspaceTest, SmallerRequestsAfterAResetFitInWhatIsThere) {
  Workspace workspace;
  workspace.take(1000000);
  const std::size_t bytes = workspace.nbytes();
  workspace.reset();
  for (int i = 0; i < 100; ++i) workspace.take(10000 - 16);
  EXPECT_EQ(workspace.nbytes(), bytes);
}

TEST(WorkspaceTest, StartsWithNothing) { EXPECT_EQ(Workspace().nbytes(), 0u); }

}  // namespace
}  // namespace xlstm::backend
