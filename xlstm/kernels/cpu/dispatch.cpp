#include "xlstm/kernels/cpu/dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "hwy/highway.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/amx_gemm.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace xlstm::kernels {
namespace {

/// A target that is one of Highway's with instruction sets that Highway lacks.
struct ExtendedTarget {
  std::string_view name, highway;
  CpuExtensions extensions;
};
// Best first.
constexpr ExtendedTarget kExtendedTargets[] = {
    {"AMX", "AVX3", {.avx512_vnni = true, .avx512_bf16 = true, .amx = true}},
    {"AVX512_BF16", "AVX3", {.avx512_vnni = true, .avx512_bf16 = true}},
    {"AVX512_VNNI", "AVX3", {.avx512_vnni = true}},
    {"AVX_VNNI", "AVX2", {.avx_vnni = true}},
    {"NEON_I8MM", "NEON", {.dotprod = true, .i8mm = true}},
    {"NEON_DOTPROD", "NEON", {.dotprod = true}},
};

struct Target {
  std::string name;
  std::int64_t highway = 0;
  CpuExtensions extensions;
};

bool has_all(const CpuExtensions& cpu, const CpuExtensions& wanted) {
  return (cpu.avx_vnni || !wanted.avx_vnni) && (cpu.avx512_vnni || !wanted.avx512_vnni) &&
         (cpu.avx512_bf16 || !wanted.avx512_bf16) && (cpu.amx || !wanted.amx) && (cpu.dotprod || !wanted.dotprod) &&
         (cpu.i8mm || !wanted.i8mm);
}

CpuExtensions extensions_of(std::string_view name) {
  for (const ExtendedTarget& target : kExtendedTargets) {
    if (target.name == name) return target.extensions;
  }
  return {};
}

CpuExtensions extensions_of_this_cpu() {
  CpuExtensions found;
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) found.avx512_vnni = (c & 1u << 11) != 0;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
    found.avx_vnni = (a & 1u << 4) != 0;
    found.avx512_bf16 = (a & 1u << 5) != 0;
  }
  found.amx = amx_supported();
#elif defined(__aarch64__) && defined(__linux__)
  found.dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  found.i8mm = (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#endif
  return found;
}

std::vector<std::int64_t> highway_targets() {
#if HWY_ARCH_ARM_A64
  return {HWY_NEON};  // Highway asks for AES besides, which no kernel needs and a Raspberry Pi 4 lacks
#else
  return hwy::SupportedAndGeneratedTargets();
#endif
}

// Best first. Whether the system saves the wide registers is Highway's to say.
std::vector<Target> find_targets() {
  const CpuExtensions cpu = extensions_of_this_cpu();
  std::vector<Target> targets;
  for (const std::int64_t highway : highway_targets()) {
    for (std::string& name : extended_targets(hwy::TargetName(highway), cpu)) {
      const CpuExtensions extensions = extensions_of(name);
      targets.push_back({std::move(name), highway, extensions});
    }
  }
  return targets;
}

// Highway is asked once, before any target is forced: afterwards it knows of the forced one alone.
const std::vector<Target>& targets_of_this_cpu() {
  static const std::vector<Target> targets = find_targets();
  return targets;
}

std::atomic<const Target*> g_in_use{nullptr};

std::string all_names() {
  std::string names;
  for (const std::string& name : cpu_targets()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

void apply(std::string_view name) {
  const std::vector<Target>& targets = targets_of_this_cpu();
  const auto chosen = std::find_if(targets.begin(), targets.end(),
                                   [&](const Target& target) { return name.empty() || name == target.name; });
  if (chosen == targets.end()) {
    fail(ErrorCode::invalid_argument, "XLSTM_CPU_TARGET", "expected one of ", all_names(), " on this CPU but got \"",
         name, "\"");
  }
  hwy::SetSupportedTargetsForTest(chosen->highway);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  g_in_use.store(&*chosen, std::memory_order_release);
}

// A wrong name is an error at every use. No std::call_once: a thread sanitizer hangs in it after an exception.
const Target& target_in_use() {
  const Target* target = g_in_use.load(std::memory_order_acquire);
  if (target != nullptr) return *target;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (g_in_use.load(std::memory_order_acquire) == nullptr) {
    const char* forced = std::getenv("XLSTM_CPU_TARGET");
    apply(forced != nullptr ? forced : "");
  }
  return *g_in_use.load(std::memory_order_acquire);
}

}  // namespace

std::string cpu_target_name() { return target_in_use().name; }

std::vector<std::string> cpu_targets() {
  std::vector<std::string> names;
  for (const Target& target : targets_of_this_cpu()) names.push_back(target.name);
  return names;
}

CpuExtensions cpu_extensions() { return target_in_use().extensions; }

std::vector<std::string> extended_targets(std::string_view highway, const CpuExtensions& cpu) {
  std::vector<std::string> names;
  for (const ExtendedTarget& target : kExtendedTargets) {
    if (target.highway == highway && has_all(cpu, target.extensions)) names.emplace_back(target.name);
  }
  names.emplace_back(highway);
  return names;
}

void force_cpu_target(std::string_view name) {
  target_in_use();  // a wrong environment variable is an error here too
  apply(name);
}

}  // namespace xlstm::kernels
