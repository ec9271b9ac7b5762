#include "apps/server/http/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

namespace xlstm::server {
namespace {

TEST(WorkerPool, StopWaitsForEveryTask) {
  std::atomic<int> done = 0;
  WorkerPool pool(3);
  for (int i = 0; i < 1000; ++i) pool.run([&] { ++done; });
  pool.stop();
  EXPECT_EQ(done, 1000);
  pool.run([&] { ++done; });
  EXPECT_EQ(done, 1001);
}

TEST(WorkerPool, ATaskMayHandInAnotherAndMayThrow) {
  std::atomic<int> done = 0;
  {
    WorkerPool pool(1);
    pool.run([] { throw std::runtime_error("a fault"); });
    pool.run([&] { pool.run([&] { ++done; }); });
  }
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace xlstm::server
