#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::checkpoint {
namespace {

class Descriptor {
 public:
  // O_NONBLOCK: opening a pipe nobody writes to must not hang.
  explicit Descriptor(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace

Bytes map_file(const std::filesystem::path& path) {
  const Descriptor file(path);
  if (file.get() < 0)
    refuse(ErrorCode::not_found, path.string(), "expected a readable file but got: ", std::strerror(errno));
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0)
    refuse_corrupt(path.string(), "expected a readable file but got: ", std::strerror(errno));
  if (S_ISDIR(status.st_mode)) refuse_corrupt(path.string(), "expected a file but got a directory");
  if (!S_ISREG(status.st_mode)) refuse_corrupt(path.string(), "expected a regular file but got a device or a pipe");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED)
    refuse(ErrorCode::overloaded, path.string(), "expected to map ", size, " bytes but got: ", std::strerror(errno));
#ifdef MADV_HUGEPAGE
  // Read and mapped in huge pages where the file system has them: advice, refusal only makes the reading slower.
  ::madvise(data, size, MADV_HUGEPAGE);
#endif
  std::shared_ptr<const void> owner(data, [size](void* mapped) { ::munmap(mapped, size); });
  return {{static_cast<const std::byte*>(data), size}, std::move(owner)};
}

void release_pages(std::span<const std::byte> bytes) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace xlstm::checkpoint
