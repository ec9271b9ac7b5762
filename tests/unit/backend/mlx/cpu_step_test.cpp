// One piece of work as one MLX primitive.
#include "xlstm/backend/mlx/cpu_step.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "xlstm/base/error.h"

namespace xlstm::backend::mlx {
namespace {

TEST(CpuStep, TheArrayHoldsWhatWasComputed) {
  for (const std::size_t size : {1u, 2u, 1000u}) {
    const mx::array out = run_as_primitive(size, [](std::span<float> to) { std::iota(to.begin(), to.end(), 1.0f); });
    ASSERT_EQ(out.size(), size);
    EXPECT_EQ(out.data<float>()[0], 1.0f);
    EXPECT_EQ(out.data<float>()[size - 1], static_cast<float>(size));
  }
}

TEST(CpuStep, RunsOnceAndOnTheStreamsOwnThread) {
  int calls = 0;
  std::thread::id where;
  run_as_primitive(0, [&](std::span<float> to) {
    EXPECT_TRUE(to.empty());
    where = std::this_thread::get_id();
    ++calls;
  });
  EXPECT_EQ(calls, 1);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(CpuStep, AnErrorComesBackWithItsCodeAndTheStreamGoesOn) {
  for (int i = 0; i < 25; ++i) {  // MLX counts tasks in tens
    try {
      run_as_primitive(4,
                       [](std::span<float>) { fail(ErrorCode::overloaded, "inside", "expected room but got none"); });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::overloaded);
      EXPECT_STREQ(error.what(), "[inside] expected room but got none");
    }
    const mx::array out = run_as_primitive(1, [](std::span<float> to) { to[0] = 2.0f; });
    EXPECT_EQ(out.data<float>()[0], 2.0f);
  }
}

TEST(CpuStep, OtherMlxWorkOnTheStreamIsUnharmed) {
  EXPECT_THROW(run_as_primitive(1, [](std::span<float>) { throw Error(ErrorCode::internal, "x"); }), Error);
  on_stream([] { EXPECT_EQ((mx::array(1.0f) + mx::array(2.0f)).item<float>(), 3.0f); });
}

}  // namespace
}  // namespace xlstm::backend::mlx
