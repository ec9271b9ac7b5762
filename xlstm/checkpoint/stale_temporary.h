// Temporary files and directories that a killed process has left, told from those that are in use.
#pragma once

#include <filesystem>

namespace xlstm::checkpoint {

/// Marks a file or a directory as in use: a lock of the system's, gone with the process whatever ends it.
class TemporaryLock {
 public:
  TemporaryLock() = default;
  ~TemporaryLock();
  TemporaryLock(const TemporaryLock&) = delete;
  TemporaryLock& operator=(const TemporaryLock&) = delete;

  /// False when somebody else has it, or where the file system has no locks.
  bool take(const std::filesystem::path& temporary) noexcept;

 private:
  int fd_ = -1;
};

/// Removes the files, or the directories, that temporary_name(path) named and whose makers are gone: no such process
/// runs and nobody has the lock. Each is a warning in the log, also when it cannot be removed.
void remove_stale_temporaries(const std::filesystem::path& path, std::filesystem::file_type type);

}  // namespace xlstm::checkpoint
