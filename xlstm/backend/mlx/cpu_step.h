// Work of the CPU engine as one MLX primitive.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "xlstm/backend/mlx/mlx_runtime.h"

namespace xlstm::backend::mlx {

/// Runs compute as a single primitive on this thread's stream and waits for it. compute writes all of its argument,
/// which is the memory of the array returned, [max(1, num_floats)] float32. What compute throws is thrown here,
/// unchanged; the stream stays usable.
mx::array run_as_primitive(std::size_t num_floats, std::function<void(std::span<float>)> compute);

}  // namespace xlstm::backend::mlx
