#include "xlstm/base/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "xlstm/base/cgroup.h"

namespace xlstm {

Cores cores(const std::filesystem::path& root) {
  Cores found;
  found.online = std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t set;
  CPU_ZERO(&set);
  found.affinity = ::sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : found.online;
  found.quota = cgroup_limits(root).cpus;
  found.available = std::min(found.online, found.affinity);
  if (found.quota) found.available = std::min(found.available, static_cast<int>(std::ceil(*found.quota)));
  found.available = std::max(1, found.available);
  return found;
}

}  // namespace xlstm
