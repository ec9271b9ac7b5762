#include "xlstm/base/aligned_floats.h"

#include <cstdlib>
#include <cstring>

#include "xlstm/base/error.h"

namespace xlstm {

AlignedFloats::AlignedFloats(std::size_t size) : size_(size) {
  constexpr std::size_t kLine = 64;
  const std::size_t bytes = (size * sizeof(float) + kLine - 1) / kLine * kLine;
  if (bytes == 0) return;
  data_.reset(static_cast<float*>(std::aligned_alloc(kLine, bytes)));
  if (!data_) fail(ErrorCode::overloaded, "memory", "no room for ", bytes, " bytes");
  std::memset(data_.get(), 0, bytes);
}

void AlignedFloats::Free::operator()(float* data) const noexcept { std::free(data); }

}  // namespace xlstm
