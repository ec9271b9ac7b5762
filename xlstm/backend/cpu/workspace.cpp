#include "xlstm/backend/cpu/workspace.h"

#include <algorithm>

namespace xlstm::backend {
namespace {

constexpr std::size_t kLineFloats = 16;
constexpr std::size_t kPageFloats = std::size_t{1} << 18;  // 1 MiB: a decode step of a small model fits one page

}  // namespace

float* Workspace::take(std::int64_t size) {
  const std::size_t count = (static_cast<std::size_t>(size) + kLineFloats - 1) / kLineFloats * kLineFloats;
  while (page_ < pages_.size() && used_ + count > pages_[page_].size()) {
    ++page_;
    used_ = 0;
  }
  if (page_ == pages_.size()) pages_.emplace_back(std::max(count, kPageFloats));
  float* data = pages_[page_].data() + used_;
  used_ += count;
  return data;
}

std::size_t Workspace::nbytes() const noexcept {
  std::size_t bytes = 0;
  for (const AlignedFloats& page : pages_) bytes += page.size() * sizeof(float);
  return bytes;
}

}  // namespace xlstm::backend
