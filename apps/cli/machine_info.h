// What `xlstm info` says about the machine: CPU, caches, control groups, threads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "xlstm/engine/machine.h"

namespace xlstm::cli {

/// What set the number of threads: "--threads", "machine" (a thread for each core), "affinity mask" or "cgroup quota"
/// (which leave fewer of them), or "backend" (which has its own number). `asked`: the flag's value, 0 for none.
std::string threads_set_by(int threads, int asked, const Cores& cores);

/// Keys: cpu_target, cpu_targets, caches, cores, threads, threads_set_by, memory_limit_bytes, memory_available_bytes;
/// null where there is no limit or nothing is known.
nlohmann::ordered_json describe_machine(const engine::Machine& machine, int threads, int asked);

/// The same for people, a line each.
std::string machine_lines(const nlohmann::ordered_json& machine);

}  // namespace xlstm::cli
