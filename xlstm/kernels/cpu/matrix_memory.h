// How C, the matrix memory of an mLSTM head, reaches a kernel: where it lies, in the type it is kept in.
#pragma once

#include <cstdint>

#include "xlstm/base/dtype.h"

namespace xlstm::kernels {

/// Row-major [qk, v]; float32, or bfloat16 (uint16_t) that is read exactly and rounded to nearest even when written.
struct MatrixMemory {
  MatrixMemory() = default;
  MatrixMemory(float* values) noexcept : data(values) {}
  MatrixMemory(DType type, void* values) noexcept : dtype(type), data(values) {}

  /// The same from its element number `elements` on.
  MatrixMemory operator+(std::int64_t elements) const noexcept {
    return {dtype, static_cast<char*>(data) + elements * static_cast<std::int64_t>(dtype_size(dtype))};
  }

  DType dtype = DType::float32;
  void* data = nullptr;
};

}  // namespace xlstm::kernels
