// Scratch memory of one forward pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "xlstm/base/aligned_floats.h"

namespace xlstm::backend {

/// Hands out cache-line aligned float32 buffers until reset(); pages are kept, so a steady state allocates nothing.
/// Contents are whatever was there (finite). Not thread-safe.
class Workspace {
 public:
  float* take(std::int64_t size);
  /// Everything taken since is given back.
  void reset() noexcept {
    page_ = 0;
    used_ = 0;
  }
  /// Bytes of all pages.
  std::size_t nbytes() const noexcept;

 private:
  std::vector<AlignedFloats> pages_;
  std::size_t page_ = 0;
  std::size_t used_ = 0;
};

}  // namespace xlstm::backend
