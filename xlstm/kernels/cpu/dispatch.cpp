#include "xlstm/kernels/cpu/dispatch.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include "hwy/highway.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/amx_gemm.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace xlstm::kernels {
namespace {

/// A target: one of Highway's, with what it lacks.
struct Target {
  std::string name;
  std::int64_t highway = 0;
  CpuExtensions extensions;
};

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
#endif
  return found;
}

// Best first: a target of Highway's follows those that extend it. Whether the system saves the wide registers is
// Highway's to say.
std::vector<Target> find_targets() {
  const CpuExtensions cpu = extensions_of_this_cpu();
  std::vector<Target> targets;
  for (const std::int64_t highway : hwy::SupportedAndGeneratedTargets()) {
    if (highway == HWY_AVX3 && cpu.avx512_vnni) {
      if (cpu.avx512_bf16 && cpu.amx) targets.push_back({"AMX", highway, {false, true, true, true}});
      if (cpu.avx512_bf16) targets.push_back({"AVX512_BF16", highway, {false, true, true, false}});
      targets.push_back({"AVX512_VNNI", highway, {false, true, false, false}});
    }
    if (highway == HWY_AVX2 && cpu.avx_vnni) targets.push_back({"AVX_VNNI", highway, {true, false, false, false}});
    targets.push_back({hwy::TargetName(highway), highway, {}});
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

void force_cpu_target(std::string_view name) {
  target_in_use();  // a wrong environment variable is an error here too
  apply(name);
}

}  // namespace xlstm::kernels
