// A weight matrix for tests, as a file would hold it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/unit/kernels/samples.h"
#include "xlstm/base/dtype.h"
#include "xlstm/kernels/cpu/gemv.h"

namespace xlstm::testing {

inline constexpr DType kDTypes[] = {DType::float32, DType::float16, DType::bfloat16};

/// A matrix in its stored dtype, `offset` elements off alignment, and the values it stands for.
struct StoredMatrix {
  StoredMatrix(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t offset, Samples& samples)
      : bytes(std::vector<std::byte>(static_cast<std::size_t>(rows * cols) * dtype_size(dtype)),
              offset * static_cast<std::int64_t>(dtype_size(dtype))),
        values(static_cast<std::size_t>(rows * cols)) {
    const std::vector<float> wide = samples.floats(rows * cols);
    narrow_from_float32(dtype, wide.data(), wide.size(), bytes.data());
    std::vector<float> rounded(wide.size());
    widen_to_float32(dtype, bytes.data(), rounded.size(), rounded.data());
    values.assign(rounded.begin(), rounded.end());
    view = {dtype, bytes.data(), rows, cols};
  }
  Shifted<std::byte> bytes;
  std::vector<double> values;
  kernels::MatrixView view;
};

}  // namespace xlstm::testing
