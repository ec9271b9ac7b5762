// Version, BLAS, streams and errors: what everything on MLX relies on.
#include "xlstm/backend/mlx/mlx_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>
#include <thread>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::backend::mlx {
namespace {

using ::testing::HasSubstr;

// The code and message of the Error that f throws.
template <class F>
std::pair<ErrorCode, std::string> error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(MlxRuntime, LoadedLibraryIsTheVersionBuiltFor) {
  EXPECT_EQ(mlx_version(), "0.32.4");
  EXPECT_NO_THROW(check_mlx_version());
}

TEST(MlxRuntime, RefusesAnotherVersionInOneLine) {
  const auto [code, message] = error_of([] { check_version("0.32.4", "0.32.2"); });
  EXPECT_EQ(code, ErrorCode::unsupported);
  EXPECT_EQ(message,
            "[mlx] expected MLX 0.32.4 but libmlx is 0.32.2: run `make setup` and build again, or configure with "
            "-DXLSTM_MLX=OFF");
}

TEST(MlxRuntime, MatmulIsBoundToOpenBlas) {
  EXPECT_TRUE(blas_is_openblas()) << "cblas_sgemm is from " << blas_library();
  EXPECT_THAT(blas_library(), HasSubstr("libopenblas"));
}

TEST(MlxRuntime, SetsTheThreadsOfTheBlas) {
  EXPECT_EQ(set_blas_threads(1), 1);
  EXPECT_GE(set_blas_threads(0), 1);
}

TEST(MlxRuntime, AThreadHasOneStreamForEver) {
  const mx::Stream first = thread_stream();
  const std::size_t count = mx::get_streams().size();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(thread_stream(), first);
    on_stream([] { mx::eval(mx::array(1.0f) + mx::array(2.0f)); });
  }
  EXPECT_EQ(mx::get_streams().size(), count);
}

TEST(MlxRuntime, AnotherThreadHasAnotherStream) {
  const mx::Stream here = thread_stream();
  std::thread([&] { EXPECT_NE(thread_stream(), here); }).join();
}

TEST(MlxRuntime, ScopeGivesTheDefaultStreamBack) {
  const mx::Stream before = mx::default_stream(mx::Device::cpu);
  on_stream([] { EXPECT_EQ(mx::default_stream(mx::Device::cpu), thread_stream()); });
  EXPECT_EQ(mx::default_stream(mx::Device::cpu), before);
}

TEST(MlxRuntime, MlxErrorBecomesOneLineOfInternal) {
  const auto [code, message] = error_of([] { on_stream([] { mx::eval(mx::reshape(mx::array({1.0f, 2.0f}), {3})); }); });
  EXPECT_EQ(code, ErrorCode::internal);
  EXPECT_THAT(message, HasSubstr("reshape"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(MlxRuntime, OwnErrorKeepsItsCode) {
  const auto [code, message] =
      error_of([] { on_stream([] { fail(ErrorCode::corrupt_file, "here", "expected a but got b"); }); });
  EXPECT_EQ(code, ErrorCode::corrupt_file);
  EXPECT_EQ(message, "[here] expected a but got b");
}

TEST(MlxRuntime, LackOfMemoryIsOverloaded) {
  EXPECT_EQ(error_of([] { on_stream([] { throw std::bad_alloc(); }); }).first, ErrorCode::overloaded);
  EXPECT_EQ(error_of([] { allocate(std::size_t{1} << 60); }).first, ErrorCode::overloaded);
}

TEST(MlxRuntime, OwnerThreadRefusesOthers) {
  const OwnerThread owner;
  EXPECT_NO_THROW(owner.check());
  std::thread([&] { EXPECT_EQ(error_of([&] { owner.check(); }).first, ErrorCode::invalid_argument); }).join();
}

}  // namespace
}  // namespace xlstm::backend::mlx
