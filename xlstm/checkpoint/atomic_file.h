// A file that appears whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/stale_temporary.h"

namespace xlstm::checkpoint {

/// Writes to a hidden neighbour of `path`; commit() syncs it and renames it into place. Destroyed without commit,
/// nothing is left and the old file is untouched. What a killed process has left of such a file is removed first.
/// Errors, naming path and reason: invalid_argument where something other than a regular file is (a device would be
/// replaced by one), not_found when no file can be made there, else internal.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// After what was written before.
  void write(std::span<const std::byte> bytes);
  /// From byte `offset` of the file on. Thread-safe for parts that do not overlap.
  void write_at(std::size_t offset, std::span<const std::byte> bytes);
  void commit();

 private:
  [[noreturn]] void fail_with_errno(ErrorCode code, const char* action) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  TemporaryLock lock_;  // until it has its name
  int fd_ = -1;
  std::size_t end_ = 0;  // of what write() has written
};

}  // namespace xlstm::checkpoint
