#include "xlstm/base/aligned_floats.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "xlstm/base/error.h"

namespace xlstm {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

AlignedFloats::AlignedFloats(std::size_t size) : size_(size) {
  const std::size_t bytes = (size * sizeof(float) + kLine - 1) / kLine * kLine;
  if (bytes == 0) return;
  void* data = nullptr;
  if (::posix_memalign(&data, bytes < kHugePage ? kLine : kHugePage, bytes) != 0) data = nullptr;
  data_.reset(static_cast<float*>(data));
  if (!data_) fail(ErrorCode::overloaded, "memory", "no room for ", bytes, " bytes");
#ifdef MADV_HUGEPAGE
  // The whole huge pages in it: advice, so refusal only makes the memory slower.
  if (bytes >= kHugePage) ::madvise(data_.get(), bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  std::memset(data_.get(), 0, bytes);
}

void AlignedFloats::Free::operator()(float* data) const noexcept { std::free(data); }

}  // namespace xlstm
