#include "xlstm/checkpoint/temporary_name.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <string>

namespace xlstm::checkpoint {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return directory_of(path) /
         ('.' + path.filename().string() + '.' + std::to_string(::getpid()) + '.' + std::to_string(counter++) + ".tmp");
}

void sync_directory(const fs::path& directory) noexcept {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace xlstm::checkpoint
