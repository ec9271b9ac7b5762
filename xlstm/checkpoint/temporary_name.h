// What files and directories that appear whole or not at all have in common.
#pragma once

#include <filesystem>
#include <optional>

namespace xlstm::checkpoint {

/// The directory that holds `path`.
std::filesystem::path directory_of(const std::filesystem::path& path);
/// A hidden name beside `path`, unique among the writers of this machine.
std::filesystem::path temporary_name(const std::filesystem::path& path);
/// The process that temporary_name() of `path` gave this name to; nothing when it is no such name.
std::optional<int> process_of_temporary_name(const std::filesystem::path& name, const std::filesystem::path& path);
/// Makes what was renamed in `directory` durable. A file system that cannot do that has still renamed.
void sync_directory(const std::filesystem::path& directory) noexcept;

}  // namespace xlstm::checkpoint
