// Which CPU target the kernels run on: chosen at run time, visible, forceable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xlstm::kernels {

/// Name of the target in use ("AMX", "AVX3", "AVX2", "NEON", "SSE2", ...). The first call reads the environment
/// variable XLSTM_CPU_TARGET. Errors: invalid_argument when it names a target that is unknown or that this CPU cannot
/// run.
std::string cpu_target_name();

/// Targets that are compiled in and that this CPU can run, best first.
std::vector<std::string> cpu_targets();

/// Forces a target for the whole process; "" goes back to the best. Not while kernels run. Errors as above.
void force_cpu_target(std::string_view name);

/// The target in use is AMX: AVX3, and products of bfloat16 weights on the tile unit (amx_gemm.h).
bool amx_in_use();

}  // namespace xlstm::kernels
