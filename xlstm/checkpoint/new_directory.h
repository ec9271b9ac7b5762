// A directory that appears whole or not at all.
#pragma once

#include <filesystem>

#include "xlstm/checkpoint/stale_temporary.h"

namespace xlstm::checkpoint {

/// A hidden neighbour of `path`, to be filled; commit() renames it into place. Destroyed without commit, it is removed
/// with all that is in it; what a killed process has left of the same `path` is removed by the next one, which says so
/// (log warning). `path` may be an empty directory, which is then replaced. Errors, naming path and reason:
/// invalid_argument where something else is, not_found when no directory can be made there, internal when it cannot be
/// renamed.
class NewDirectory {
 public:
  explicit NewDirectory(const std::filesystem::path& path);
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  /// Where to write until then.
  const std::filesystem::path& temporary() const noexcept { return temporary_; }
  void commit();

 private:
  std::filesystem::path given_;  // for messages
  std::filesystem::path path_, temporary_;
  TemporaryLock lock_;  // as long as it is being filled
  bool committed_ = false;
};

}  // namespace xlstm::checkpoint
