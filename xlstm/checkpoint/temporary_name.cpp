#include "xlstm/checkpoint/temporary_name.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>

namespace xlstm::checkpoint {

namespace fs = std::filesystem;

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return directory_of(path) /
         ('.' + path.filename().string() + '.' + std::to_string(::getpid()) + '.' + std::to_string(counter++) + ".tmp");
}

std::optional<int> process_of_temporary_name(const fs::path& name, const fs::path& path) {
  const std::string text = name.filename().string(), prefix = '.' + path.filename().string() + '.';
  if (!text.starts_with(prefix)) return std::nullopt;
  int process = 0, length = 0;
  unsigned count = 0;
  const std::string rest = text.substr(prefix.size());
  const int fields = std::sscanf(rest.c_str(), "%9d.%9u.tmp%n", &process, &count, &length);
  if (fields != 2 || length != static_cast<int>(rest.size()) || process <= 0) return std::nullopt;
  return process;
}

void sync_directory(const fs::path& directory) noexcept {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace xlstm::checkpoint
