// Which CPU target the kernels run on: chosen at run time, visible, forceable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xlstm::kernels {

/// Name of the target in use: one of Highway's ("AVX3", "AVX2", "NEON", "SSE2", ...) or one of them with extensions:
/// "AVX_VNNI" (AVX2), "AVX512_VNNI", "AVX512_BF16" (VNNI as well) and "AMX" (all three; AVX3). The first call reads the
/// environment variable XLSTM_CPU_TARGET. Errors: invalid_argument when it names a target that is unknown or that this
/// CPU cannot run.
std::string cpu_target_name();

/// Targets that are compiled in and that this CPU can run, best first.
std::vector<std::string> cpu_targets();

/// Forces a target for the whole process; "" goes back to the best. Not while kernels run. Errors as above.
void force_cpu_target(std::string_view name);

/// Instruction sets of the target in use that Highway 1.0.3 has no target for. Kernels that need one are functions with
/// their own target attribute, called only where its flag is set.
struct CpuExtensions {
  bool avx_vnni = false;     // AVX2 and 256-bit integer dot products
  bool avx512_vnni = false;  // AVX3 and 512-bit ones
  bool avx512_bf16 = false;
  bool amx = false;  // the tile unit (amx_gemm.h), bfloat16 and int8
};
CpuExtensions cpu_extensions();

}  // namespace xlstm::kernels
