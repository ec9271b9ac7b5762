// What a build without MLX says about it.
#include <gtest/gtest.h>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

std::string refusal(std::unique_ptr<Backend> (*make)(std::shared_ptr<const model::Model>, const Options&)) {
  try {
    make(nullptr, {});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    return error.what();
  }
  return {};
}

TEST(MlxAbsent, IsKnown) {
  EXPECT_FALSE(mlx_available());
  EXPECT_EQ(mlx_version(), "");
  EXPECT_NO_THROW(check_mlx_version());
}

TEST(MlxAbsent, FactoriesSayHowToGetIt) {
  EXPECT_EQ(refusal(make_mlx_backend),
            "[backend] expected a backend that was built but got \"mlx\": configure with -DXLSTM_MLX=ON");
  EXPECT_EQ(refusal(make_mlx_cpu_backend),
            "[backend] expected a backend that was built but got \"mlx-cpu\": configure with -DXLSTM_MLX=ON");
}

}  // namespace
}  // namespace xlstm::backend
