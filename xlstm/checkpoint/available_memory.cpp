#include "xlstm/checkpoint/available_memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUnknown = SIZE_MAX;

// A file that holds one number; nothing for "max" or a missing file.
std::optional<std::size_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::size_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

// The number behind `key` in a file of "key number" lines.
std::size_t read_field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string name;
    std::size_t value = 0;
    if (fields >> name >> value && name == key) return value;
  }
  return 0;
}

struct CgroupFiles {
  const char* limit;
  const char* usage;
  const char* inactive;
  const char* active;
};
constexpr CgroupFiles kV2 = {"memory.max", "memory.current", "inactive_file", "active_file"};
constexpr CgroupFiles kV1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                             "total_active_file"};

std::size_t left_in_cgroup(const fs::path& group, const CgroupFiles& names) {
  const std::optional<std::size_t> limit = read_number(group / names.limit);
  const std::optional<std::size_t> usage = read_number(group / names.usage);
  if (!limit || !usage) return kUnknown;
  const fs::path stat = group / "memory.stat";
  const std::size_t cache = read_field(stat, names.inactive) + read_field(stat, names.active);
  const std::size_t used = *usage - std::min(*usage, cache);
  return *limit - std::min(*limit, used);
}

// Limits hold for a group and all its ancestors. A path outside this namespace (container) ends at the mount's own
// root.
std::size_t left_in_hierarchy(const fs::path& mount, const std::string& group, const CgroupFiles& names) {
  std::size_t left = kUnknown;
  for (fs::path path = fs::path(group).relative_path(); !path.empty(); path = path.parent_path()) {
    left = std::min(left, left_in_cgroup(mount / path, names));
  }
  return std::min(left, left_in_cgroup(mount, names));
}

std::size_t left_in_cgroups(const fs::path& root) {
  std::size_t left = kUnknown;
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;  // "0::/path" (v2) or "4:memory:/path" (v1)
  while (std::getline(groups, line)) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) left = std::min(left, left_in_hierarchy(root / "sys/fs/cgroup", group, kV2));
    if (controllers == "memory") left = std::min(left, left_in_hierarchy(root / "sys/fs/cgroup/memory", group, kV1));
  }
  return left;
}

}  // namespace

std::size_t available_memory_bytes(const fs::path& root) {
  const std::size_t kibibytes = read_field(root / "proc/meminfo", "MemAvailable:");
  return std::min(kibibytes > 0 ? kibibytes * 1024 : kUnknown, left_in_cgroups(root));
}

void require_memory(std::size_t bytes, std::string_view where, std::string_view what,
                    const AvailableMemory& available) {
  const std::size_t left = available();
  if (bytes <= left) return;
  refuse(ErrorCode::overloaded, where, "not enough memory for ", what, ": expected at least ", bytes,
         " bytes available but got ", left);
}

}  // namespace xlstm::checkpoint
