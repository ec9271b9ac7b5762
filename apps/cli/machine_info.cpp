#include "apps/cli/machine_info.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "apps/cli/units.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json known(std::size_t bytes) { return bytes != 0 ? ordered_json(bytes) : ordered_json(); }

std::string bytes_or(const ordered_json& bytes, const char* otherwise) {
  return bytes.is_null() ? otherwise : human_bytes(bytes.get<std::size_t>());
}

}  // namespace

std::string threads_set_by(int threads, int asked, const Cores& cores) {
  if (asked > 0) return threads == asked ? "--threads" : "backend";
  if (threads != cores.available) return "backend";
  if (cores.available < cores.affinity) return "cgroup quota";
  return cores.affinity < cores.online ? "affinity mask" : "machine";
}

ordered_json describe_machine(const engine::Machine& machine, int threads, int asked) {
  const Cores& cores = machine.cores;
  return {{"cpu_target", machine.cpu_target},
          {"cpu_targets", machine.cpu_targets},
          {"caches",
           {{"l1d_bytes", known(machine.caches.l1d)},
            {"l2_bytes", known(machine.caches.l2)},
            {"l3_bytes", known(machine.caches.l3)}}},
          {"cores",
           {{"online", cores.online},
            {"affinity", cores.affinity},
            {"quota", or_null(cores.quota)},
            {"available", cores.available}}},
          {"threads", threads},
          {"threads_set_by", threads_set_by(threads, asked, cores)},
          {"memory_limit_bytes", or_null(machine.memory_limit_bytes)},
          {"memory_available_bytes",
           machine.available_memory_bytes != SIZE_MAX ? ordered_json(machine.available_memory_bytes) : ordered_json()}};
}

std::string machine_lines(const ordered_json& machine) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<14}{}\n", name, value); };
  const ordered_json &caches = machine["caches"], &cores = machine["cores"];
  const auto targets = machine["cpu_targets"].get<std::vector<std::string>>();
  line("cpu", fmt::format("{} (this CPU runs {})", machine["cpu_target"].get<std::string>(), fmt::join(targets, ", ")));
  line("caches", fmt::format("L1d {}, L2 {}, L3 {}", bytes_or(caches["l1d_bytes"], "unknown"),
                             bytes_or(caches["l2_bytes"], "unknown"), bytes_or(caches["l3_bytes"], "unknown")));
  line("threads", fmt::format("{} threads, set by: {} ({} cores online, {} in the affinity mask, cgroup quota {})",
                              machine["threads"].get<int>(), machine["threads_set_by"].get<std::string>(),
                              cores["online"].get<int>(), cores["affinity"].get<int>(),
                              cores["quota"].is_null() ? "none" : fmt::format("{:.2f}", cores["quota"].get<double>())));
  line("memory", fmt::format("{} available, cgroup limit {}", bytes_or(machine["memory_available_bytes"], "unknown"),
                             bytes_or(machine["memory_limit_bytes"], "none")));
  return text;
}

}  // namespace xlstm::cli
