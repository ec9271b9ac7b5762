// Stands in for backend/mlx in a build without MLX.
#include "xlstm/backend/mlx/mlx_backend.h"

#include <string_view>

#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

[[noreturn]] void refuse(std::string_view name) {
  fail(ErrorCode::unsupported, "backend", "expected a backend that was built but got \"", name,
       "\": configure with -DXLSTM_MLX=ON");
}

}  // namespace

bool mlx_available() noexcept { return false; }

std::string mlx_version() { return {}; }

void check_mlx_version() {}

std::unique_ptr<Backend> make_mlx_backend(std::shared_ptr<const model::Model>, const Options&) { refuse("mlx"); }

std::unique_ptr<Backend> make_mlx_cpu_backend(std::shared_ptr<const model::Model>, const Options&) {
  refuse("mlx-cpu");
}

}  // namespace xlstm::backend
