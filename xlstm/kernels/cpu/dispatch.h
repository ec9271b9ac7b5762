// Which CPU target the kernels run on: chosen at run time, visible, forceable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xlstm::kernels {

/// Name of the target in use: one of Highway's ("AVX3", "AVX2", "NEON", ...) or one of them with extensions: "AVX_VNNI"
/// (AVX2), "AVX512_VNNI", "AVX512_BF16" (VNNI as well) and "AMX" (all three; AVX3), "NEON_DOTPROD" and "NEON_I8MM"
/// (both; NEON). The first call reads the environment variable XLSTM_CPU_TARGET. Errors: invalid_argument when it names
/// a target that is unknown or that this CPU cannot run.
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
  bool amx = false;      // the tile unit (amx_gemm.h), bfloat16 and int8
  bool dotprod = false;  // NEON and integer dot products: sdot, udot
  bool i8mm = false;     // NEON and 2 x 2 products of int8 matrices: smmla, usmmla
};
CpuExtensions cpu_extensions();

/// What a target of Highway's becomes on a CPU with `cpu`: the targets that extend it, best first, then itself.
std::vector<std::string> extended_targets(std::string_view highway, const CpuExtensions& cpu);

}  // namespace xlstm::kernels
