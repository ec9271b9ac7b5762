// float32 values that are either used where they lie in a mapped file, or widened into memory of their own.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "xlstm/base/tensor_view.h"

namespace xlstm {

/// Immutable; copies share the values.
class FloatArray {
 public:
  FloatArray() = default;
  explicit FloatArray(std::vector<float> values)
      : owned_(std::make_shared<const std::vector<float>>(std::move(values))),
        data_(owned_->data()),
        size_(owned_->size()) {}
  /// In place when the tensor is float32, else a widened copy. The storage behind `tensor` must outlive the array.
  static FloatArray of(const TensorView& tensor);

  const float* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  float operator[](std::size_t i) const noexcept { return data_[i]; }
  std::span<const float> span() const noexcept { return {data_, size_}; }
  /// Bytes held in memory of its own (0 when used in place).
  std::size_t owned_bytes() const noexcept { return owned_ ? owned_->size() * sizeof(float) : 0; }

 private:
  std::shared_ptr<const std::vector<float>> owned_;
  const float* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace xlstm
