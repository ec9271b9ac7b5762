// What the kernel tests feed the kernels with: reproducible values, laid out on and off alignment.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <vector>

#include "xlstm/base/random.h"

namespace xlstm::testing {

/// Sizes round every vector width (4, 8, 16 lanes), round the unrolled blocks of four vectors, and odd ones.
inline const std::initializer_list<std::int64_t> kSizes = {0,  1,  2,  3,  4,  5,  7,  8,   9,   15,  16,  17,  24, 31,
                                                           32, 33, 48, 63, 64, 65, 96, 127, 128, 129, 255, 257, 300};

/// Numbers of one seed, uniform in [low, high).
class Samples {
 public:
  explicit Samples(std::uint64_t seed) : seed_(seed) {}

  float next(float low = -1, float high = 1) {
    return static_cast<float>(low + (high - low) * uniform({seed_, index_++}));
  }
  std::vector<float> floats(std::int64_t count, float low = -1, float high = 1) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = next(low, high);
    return values;
  }

 private:
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
};

inline std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// A copy that starts `offset` elements after a cache line and ends where its memory ends, so that a sanitizer sees one
/// element too many that is read.
template <class T>
class Shifted {
 public:
  explicit Shifted(const std::vector<T>& values, std::int64_t offset = 0)
      : memory_(static_cast<T*>(
            ::operator new((static_cast<std::size_t>(offset) + values.size()) * sizeof(T), std::align_val_t(64)))),
        data_(memory_.get() + offset),
        size_(values.size()) {
    std::copy(values.begin(), values.end(), data_);
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::vector<T> values() const { return {data_, data_ + size_}; }

 private:
  struct Free {
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t(64)); }
  };
  std::unique_ptr<T, Free> memory_;
  T* data_;
  std::size_t size_;
};

}  // namespace xlstm::testing
