// The files of a store's directory. Another process may remove any of them at any time: that is no error.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "xlstm/scheduler/store_name.h"

namespace xlstm::scheduler {

struct StoreFile {
  StoreName name;
  std::size_t bytes = 0;
  std::filesystem::file_time_type used;
};

/// Those that are named as snapshots, in no order. What cannot be read is left out.
std::vector<StoreFile> store_files(const std::filesystem::path& directory);
bool is_writable(const std::filesystem::path& directory);
/// Marks a file as used now; false: it is not there.
bool touch(const std::filesystem::path& path) noexcept;
/// False, with a warning in the log: it is still there.
bool remove_file(const std::filesystem::path& path);

}  // namespace xlstm::scheduler
