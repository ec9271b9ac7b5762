#include "xlstm/kernels/cpu/dispatch.h"

#include <cstdint>
#include <cstdlib>
#include <mutex>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "xlstm/kernels/cpu/dispatch.cpp"
#include "hwy/foreach_target.h"
// (a block of its own: after foreach_target.h)
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace xlstm::kernels {
namespace HWY_NAMESPACE {
namespace {

std::int64_t current_target() { return HWY_TARGET; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace xlstm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <atomic>

#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/amx_gemm.h"

namespace xlstm::kernels {
namespace {

HWY_EXPORT(current_target);

constexpr std::string_view kAmx = "AMX";  // no target of Highway's: AVX3 and a unit of its own

std::atomic<bool> g_amx_in_use{false};

// Highway's, asked once, before any is forced: afterwards it knows of the forced one alone.
const std::vector<std::int64_t>& runnable_targets() {
  static const std::vector<std::int64_t> targets = [] {
    const auto supported = hwy::SupportedAndGeneratedTargets();
    return std::vector<std::int64_t>(supported.begin(), supported.end());
  }();
  return targets;
}

bool amx_is_runnable() {
  const std::vector<std::int64_t>& targets = runnable_targets();
  return std::find(targets.begin(), targets.end(), HWY_AVX3) != targets.end() && amx_supported();
}

std::string all_names() {
  std::string names;
  for (const std::string& name : cpu_targets()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

void apply(std::string_view name) {
  std::int64_t mask = 0;  // 0: all that there are
  bool amx = (name.empty() || name == kAmx) && amx_is_runnable();
  if (amx && !name.empty()) mask = HWY_AVX3;
  if (!amx && !name.empty()) {
    for (const std::int64_t target : runnable_targets()) {
      if (name == hwy::TargetName(target)) mask = target;
    }
    if (mask == 0) {
      fail(ErrorCode::invalid_argument, "XLSTM_CPU_TARGET", "expected one of ", all_names(), " on this CPU but got \"",
           name, "\"");
    }
  }
  hwy::SetSupportedTargetsForTest(mask);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  g_amx_in_use = amx;
}

// A wrong name is an error at every use. No std::call_once: a thread sanitizer hangs in it after an exception.
void apply_environment_once() {
  static std::atomic<bool> applied{false};
  if (applied.load(std::memory_order_acquire)) return;
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (applied) return;
  const char* forced = std::getenv("XLSTM_CPU_TARGET");
  apply(forced != nullptr ? forced : "");
  applied.store(true, std::memory_order_release);
}

}  // namespace

std::string cpu_target_name() {
  apply_environment_once();
  return g_amx_in_use ? std::string(kAmx) : hwy::TargetName(HWY_DYNAMIC_DISPATCH(current_target)());
}

std::vector<std::string> cpu_targets() {
  std::vector<std::string> names;
  if (amx_is_runnable()) names.emplace_back(kAmx);
  for (const std::int64_t target : runnable_targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

bool amx_in_use() {
  apply_environment_once();
  return g_amx_in_use;
}

void force_cpu_target(std::string_view name) {
  apply_environment_once();
  apply(name);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
