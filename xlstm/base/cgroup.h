// Control groups (v2 and v1) around this process: the directories that may limit it, and the limits.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

namespace xlstm {

struct CgroupDirectory {
  std::filesystem::path path;
  bool is_v2 = true;
};

/// Directories of `controller` ("cpu", "memory"): of this process's group and of all its ancestors, whose limits hold
/// as well. A group outside this namespace (container) ends at the mount's own root. `root` stands for "/" in tests.
std::vector<CgroupDirectory> cgroup_directories(std::string_view controller, const std::filesystem::path& root = "/");

/// The tightest of all these groups; nothing where there is no limit.
struct CgroupLimits {
  std::optional<double> cpus;  // seconds of CPU time a second
  std::optional<std::size_t> memory_bytes;
};
CgroupLimits cgroup_limits(const std::filesystem::path& root = "/");

}  // namespace xlstm
