#include "xlstm/base/huge_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "xlstm/base/error.h"

namespace xlstm {
namespace {

constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

}  // namespace

std::shared_ptr<std::byte> allocate_huge(std::size_t bytes) {
  const std::size_t mapped = bytes + kHugePageBytes;  // room to start on a huge page
  void* const memory = mapped > bytes ? ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                      : MAP_FAILED;
  if (memory == MAP_FAILED) {
    fail(ErrorCode::overloaded, "memory", "expected to get ", bytes,
         " bytes but the system refused: ", std::strerror(errno));
  }
#ifdef MADV_HUGEPAGE
  ::madvise(memory, mapped, MADV_HUGEPAGE);  // advice: refusal only makes the reading slower
#endif
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t start = (address + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  return {static_cast<std::byte*>(memory) + (start - address),
          [memory, mapped](std::byte*) { ::munmap(memory, mapped); }};
}

}  // namespace xlstm
