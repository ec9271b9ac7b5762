// float32 memory aligned to cache lines.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace xlstm {

/// `size` floats, zeroed, aligned to 64 bytes; 2 MiB and more lie in huge pages where the system grants them.
/// Move-only. Errors: overloaded when there is no memory.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t size);

  float* data() noexcept { return data_.get(); }
  const float* data() const noexcept { return data_.get(); }
  std::size_t size() const noexcept { return size_; }
  std::span<float> span() noexcept { return {data(), size_}; }
  std::span<const float> span() const noexcept { return {data(), size_}; }

 private:
  struct Free {
    void operator()(float* data) const noexcept;
  };
  std::unique_ptr<float, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace xlstm
