#include "xlstm/base/cgroup.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace xlstm {
namespace {

namespace fs = std::filesystem;

// The group and its ancestors below the mount, then the mount.
void add_hierarchy(const fs::path& mount, const std::string& group, bool is_v2,
                   std::vector<CgroupDirectory>& directories) {
  for (fs::path path = fs::path(group).relative_path(); !path.empty(); path = path.parent_path()) {
    directories.push_back({mount / path, is_v2});
  }
  directories.push_back({mount, is_v2});
}

// "cpu" in "cpu,cpuacct".
bool lists(const std::string& controllers, std::string_view wanted) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == wanted) return true;
  }
  return false;
}

// The first number of a file and the one behind it; nothing when it is no number ("max") or there is no file.
struct Numbers {
  std::optional<double> first, second;
};
Numbers read_numbers(const fs::path& path) {
  std::ifstream file(path);
  Numbers numbers;
  double value = 0;
  if (file >> value) numbers.first = value;
  if (file >> value) numbers.second = value;
  return numbers;
}

std::optional<double> cpus_of(const CgroupDirectory& group) {
  Numbers quota;  // microseconds, and in how many
  if (group.is_v2) {
    quota = read_numbers(group.path / "cpu.max");  // "max 100000" or "200000 100000"
  } else {
    quota = {read_numbers(group.path / "cpu.cfs_quota_us").first, read_numbers(group.path / "cpu.cfs_period_us").first};
  }
  if (quota.first.value_or(0) <= 0 || quota.second.value_or(0) <= 0) return std::nullopt;  // v1 writes -1 for none
  return *quota.first / *quota.second;
}

std::optional<std::size_t> memory_of(const CgroupDirectory& group) {
  std::ifstream file(group.path / (group.is_v2 ? "memory.max" : "memory.limit_in_bytes"));
  constexpr std::size_t kUnlimited = std::size_t{1} << 62;  // v1 writes 2^63 less a page
  std::size_t limit = 0;
  if (!(file >> limit) || limit >= kUnlimited) return std::nullopt;
  return limit;
}

template <class T>
void tighten(std::optional<T>& limit, const std::optional<T>& other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

}  // namespace

std::vector<CgroupDirectory> cgroup_directories(std::string_view controller, const fs::path& root) {
  std::vector<CgroupDirectory> directories;
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;  // "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1)
  while (std::getline(groups, line)) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) add_hierarchy(root / "sys/fs/cgroup", group, true, directories);
    if (lists(controllers, controller)) add_hierarchy(root / "sys/fs/cgroup" / controller, group, false, directories);
  }
  return directories;
}

CgroupLimits cgroup_limits(const fs::path& root) {
  CgroupLimits limits;
  for (const CgroupDirectory& group : cgroup_directories("cpu", root)) tighten(limits.cpus, cpus_of(group));
  for (const CgroupDirectory& group : cgroup_directories("memory", root))
    tighten(limits.memory_bytes, memory_of(group));
  return limits;
}

}  // namespace xlstm
