// The points that `xlstm bench --sweep` measures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xlstm::cli {

/// What a sweep can vary.
struct BenchPoint {
  std::int64_t batch = 1;
  std::int64_t prompt = 0;
  std::int64_t decode = 0;
  std::int64_t threads = 0;  // 0: as the engine was loaded
};

/// The cross product of axes as "batch=1,2,4" (batch, prompt, decode or threads), the last axis varying fastest; what
/// no axis names is as in `base`. Errors: invalid_argument (another key, a key twice, no or wrong values).
std::vector<BenchPoint> sweep_points(const std::vector<std::string>& axes, const BenchPoint& base);

}  // namespace xlstm::cli
