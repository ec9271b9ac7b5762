#include "xlstm/engine/machine.h"

#include <sys/resource.h>

#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/base/cgroup.h"
#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/kernels/cpu/dispatch.h"

namespace xlstm::engine {
namespace {

/// A field of KiB in a file of /proc/self, in bytes.
std::optional<std::size_t> memory_field(const char* file, std::string_view field) {
  std::ifstream fields(file);
  for (std::string word; fields >> word;) {
    std::size_t kib = 0;
    if (word == field && fields >> kib) return kib * 1024;
  }
  return std::nullopt;
}

/// A field of /proc/self/status; the largest resident memory where there is none.
std::size_t memory_status(std::string_view field) {
  if (const auto bytes = memory_field("/proc/self/status", field)) return *bytes;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

Machine describe_machine() {
  return {kernels::cpu_target_name(),
          kernels::cpu_targets(),
          cache_sizes(),
          cores(),
          cgroup_limits().memory_bytes,
          checkpoint::available_memory_bytes(),
          backend::mlx_version()};
}

void check_machine() {
  backend::check_mlx_version();
  kernels::cpu_target_name();
}

std::size_t peak_rss_bytes() { return memory_status("VmHWM:"); }

void reset_peak_rss() { std::ofstream("/proc/self/clear_refs") << 5; }  // see proc(5)

std::size_t rss_bytes() { return memory_status("VmRSS:"); }

std::size_t huge_page_bytes() { return memory_field("/proc/self/smaps_rollup", "AnonHugePages:").value_or(0); }

}  // namespace xlstm::engine
