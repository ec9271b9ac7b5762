// What this process runs on: the CPU target of the kernels, cores, memory, the libraries it found.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/caches.h"
#include "xlstm/base/cores.h"

namespace xlstm::engine {

struct Machine {
  std::string cpu_target;                // in use: "AVX2", ...; forced by XLSTM_CPU_TARGET
  std::vector<std::string> cpu_targets;  // that this CPU can run, best first
  CacheSizes caches;
  Cores cores;
  std::optional<std::size_t> memory_limit_bytes;  // of the control groups
  std::size_t available_memory_bytes = 0;  // that this process may still take; the largest size_t: no bound known
  std::string mlx_version;                 // of the library that was loaded; empty: built without MLX
};

/// Errors: invalid_argument when XLSTM_CPU_TARGET names a target that this CPU does not have.
Machine describe_machine();

/// For the start of a program: throws unsupported when the MLX library found is not the version this was built for, and
/// invalid_argument for a wrong XLSTM_CPU_TARGET.
void check_machine();

/// Largest resident memory of this process so far, in bytes. Unlike getrusage's figure it does not begin with that of
/// the process that forked it.
std::size_t peak_rss_bytes();
/// From now on peak_rss_bytes() counts from what is resident now, where the system allows that.
void reset_peak_rss();
/// Resident memory of this process now, in bytes; the largest so far where the system does not tell.
std::size_t rss_bytes();
/// Memory of this process that lies in huge pages now, in bytes; 0 where the system does not tell.
std::size_t huge_page_bytes();

}  // namespace xlstm::engine
