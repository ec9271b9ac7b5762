// Speed of MLX's float32 matmul on the CPU. One line for each shape: M K N, best and median GFLOP/s,
// and the BLAS in use.
#include <dlfcn.h>
#include <mlx/mlx.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace mx = mlx::core;

namespace {

struct GemmShape {
  int m, k, n;
};

// [M, K] x [N, K]^T as a linear layer has them; M = 1 is a decode step.
constexpr GemmShape kShapes[] = {{1, 4096, 4096}, {64, 2048, 2048}, {256, 2048, 2048}};
constexpr int kRepeats = 7;

// Ascending.
std::vector<double> timed_seconds(GemmShape shape) {
  mx::array x = mx::random::normal({shape.m, shape.k}), weight = mx::random::normal({shape.n, shape.k});
  mx::eval(x, weight);
  std::vector<double> seconds;
  for (int i = 0; i <= kRepeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    mx::eval(mx::matmul(x, mx::transpose(weight)));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (i > 0) seconds.push_back(spent.count());  // the first one warms up
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

const char* blas_library() {
  Dl_info info{};
  void* const sgemm = dlsym(RTLD_DEFAULT, "cblas_sgemm");
  return sgemm != nullptr && dladdr(sgemm, &info) != 0 ? info.dli_fname : "unknown";
}

}  // namespace

int main() {
  mx::set_default_device(mx::Device::cpu);
  for (const GemmShape shape : kShapes) {
    const std::vector<double> seconds = timed_seconds(shape);
    const double gflop = 2e-9 * shape.m * shape.k * shape.n;
    std::printf("%d %d %d %.2f %.2f GFLOP/s %s\n", shape.m, shape.k, shape.n, gflop / seconds.front(),
                gflop / seconds[seconds.size() / 2], blas_library());
  }
}
