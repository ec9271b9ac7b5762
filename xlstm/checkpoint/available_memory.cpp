#include "xlstm/checkpoint/available_memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "xlstm/base/cgroup.h"
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

std::size_t left_in_cgroup(const CgroupDirectory& group) {
  const CgroupFiles& names = group.is_v2 ? kV2 : kV1;
  const std::optional<std::size_t> limit = read_number(group.path / names.limit);
  const std::optional<std::size_t> usage = read_number(group.path / names.usage);
  if (!limit || !usage) return kUnknown;
  const fs::path stat = group.path / "memory.stat";
  const std::size_t cache = read_field(stat, names.inactive) + read_field(stat, names.active);
  const std::size_t used = *usage - std::min(*usage, cache);
  return *limit - std::min(*limit, used);
}

}  // namespace

std::size_t available_memory_bytes(const fs::path& root) {
  const std::size_t kibibytes = read_field(root / "proc/meminfo", "MemAvailable:");
  std::size_t left = kibibytes > 0 ? kibibytes * 1024 : kUnknown;
  for (const CgroupDirectory& group : cgroup_directories("memory", root)) left = std::min(left, left_in_cgroup(group));
  return left;
}

void require_memory(std::size_t bytes, std::string_view where, std::string_view what,
                    const AvailableMemory& available) {
  const std::size_t left = available();
  if (bytes <= left) return;
  refuse(ErrorCode::overloaded, where, "not enough memory for ", what, ": expected at least ", bytes,
         " bytes available but got ", left);
}

}  // namespace xlstm::checkpoint
