// The work pool: every index exactly once, whatever the size, the number of threads and who else is working.
#include "xlstm/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "xlstm/base/cores.h"

namespace xlstm {
namespace {

TEST(ThreadPool, CallsEveryIndexExactlyOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.num_threads(), threads);
    for (const std::int64_t count : {0, 1, 2, 3, 4, 7, 8, 9, 63, 64, 65, 1000}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<int> calls(static_cast<std::size_t>(count),
                               0);  // not atomic: TSan sees it if two threads share an index
        pool.parallel_for(count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
        for (std::int64_t i = 0; i < count; ++i)
          ASSERT_EQ(calls[static_cast<std::size_t>(i)], 1) << i << " of " << count;
      }
    }
  }
}

TEST(ThreadPool, NegativeCountIsNothing) {
  ThreadPool pool(2);
  pool.parallel_for(-3, [](std::int64_t) { FAIL() << "called"; });
}

TEST(ThreadPool, WhatOneCallWroteTheNextCallReads) {
  // given a chain of calls in which each index reads what another one wrote in the call before
  ThreadPool pool(4);
  constexpr std::int64_t kCount = 97;
  std::vector<std::int64_t> from(kCount, 0), to(kCount, 0);
  for (int step = 0; step < 2000; ++step) {
    pool.parallel_for(kCount, [&](std::int64_t i) {
      to[static_cast<std::size_t>(i)] = from[static_cast<std::size_t>((i + 1) % kCount)] + 1;
    });
    std::swap(from, to);
  }
  for (const std::int64_t value : from) ASSERT_EQ(value, 2000);
}

TEST(ThreadPool, TakesNamedAndConstFunctions) {
  ThreadPool pool(2);
  std::atomic<std::int64_t> sum{0};
  auto named = [&](std::int64_t i) { sum += i; };
  const auto constant = named;
  pool.parallel_for(10, named);
  pool.parallel_for(10, constant);
  EXPECT_EQ(sum, 90);
}

TEST(ThreadPool, WorkersThatSleepWakeUp) {
  ThreadPool pool(3);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than the workers spin
    std::atomic<int> calls{0};
    pool.parallel_for(50, [&](std::int64_t) { ++calls; });
    ASSERT_EQ(calls, 50);
  }
}

TEST(ThreadPool, OthersTakeTheChunksOfASlowOne) {
  ThreadPool pool(2);
  std::atomic<int> others{0};
  pool.parallel_for(20, [&](std::int64_t i) {
    if (i ==
        0) {  // returns only when the rest is done, which needs the other thread to claim it; the limit is for a hang
      const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (others < 19 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    } else {
      ++others;
    }
  });
  EXPECT_EQ(others, 19);
}

TEST(ThreadPool, AThreadBeginsWithItsOwnShare) {
  ThreadPool pool(2);
  const auto caller = std::this_thread::get_id();
  std::atomic<std::int64_t> first_of_caller{-1}, first_of_worker{-1};
  pool.parallel_for(100, [&](std::int64_t i) {
    const bool is_caller = std::this_thread::get_id() == caller;
    std::atomic<std::int64_t>& own = is_caller ? first_of_caller : first_of_worker;
    std::int64_t none = -1;
    own.compare_exchange_strong(none, i);
    // Neither goes on before the other has begun, so neither can have taken from the other; the limit is for a hang.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while ((first_of_caller < 0 || first_of_worker < 0) && std::chrono::steady_clock::now() < limit) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(first_of_caller, 0);
  EXPECT_EQ(first_of_worker, 50);
}

TEST(ThreadPool, SeveralPoolsWorkAtOnceAndInsideEachOther) {
  // given three callers, each with a pool of its own, whose chunks use pools of their own
  std::atomic<std::int64_t> calls{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&calls] {
      ThreadPool outer(3);
      for (int round = 0; round < 10; ++round) {
        outer.parallel_for(4, [&calls](std::int64_t) {
          ThreadPool inner(2);
          inner.parallel_for(25, [&calls](std::int64_t) { ++calls; });
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calls, 3 * 10 * 4 * 25);
}

TEST(ThreadPool, CanBeMadeAndDroppedWithoutWork) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(4);
}

TEST(ThreadPool, ZeroThreadsMeansTheCoresThereAre) { EXPECT_EQ(ThreadPool(0).num_threads(), available_cores()); }

}  // namespace
}  // namespace xlstm
