#include "xlstm/scheduler/store_files.h"

#include <unistd.h>

#include <system_error>

#include "xlstm/base/log.h"

namespace xlstm::scheduler {

namespace fs = std::filesystem;

std::vector<StoreFile> store_files(const fs::path& directory) {
  std::vector<StoreFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const auto name = StoreName::parse(entry->path().filename().string());
    if (!name) continue;
    std::error_code gone;
    const std::uintmax_t bytes = entry->file_size(gone);
    if (gone) continue;
    const fs::file_time_type used = entry->last_write_time(gone);
    if (!gone) files.push_back({*name, static_cast<std::size_t>(bytes), used});
  }
  return files;
}

bool is_writable(const fs::path& directory) { return ::access(directory.c_str(), W_OK | X_OK) == 0; }

bool touch(const fs::path& path) noexcept {
  std::error_code error;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  return !error;
}

bool remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) log(LogLevel::warning, "state cache: " + path.string() + ": not removed: " + error.message());
  return !error;
}

}  // namespace xlstm::scheduler
