// Temporary directories that a killed process has left, told from those that are in use.
#pragma once

#include <filesystem>

namespace xlstm::checkpoint {

/// Marks a directory as in use: a lock of the system's, gone with the process whatever ends it.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  /// False when somebody else has it, or where the file system has no locks.
  bool take(const std::filesystem::path& directory) noexcept;

 private:
  int fd_ = -1;
};

/// Removes the directories that temporary_name(path) named and whose makers are gone: no such process runs and nobody
/// has the lock. Each is a warning in the log, also when it cannot be removed.
void remove_stale_directories(const std::filesystem::path& path);

}  // namespace xlstm::checkpoint
