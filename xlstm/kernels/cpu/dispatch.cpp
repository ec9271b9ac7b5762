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
#include "xlstm/base/error.h"

namespace xlstm::kernels {
namespace {

HWY_EXPORT(current_target);

// Asked once, before any is forced: afterwards Highway knows of the forced one alone.
const std::vector<std::int64_t>& runnable_targets() {
  static const std::vector<std::int64_t> targets = [] {
    const auto supported = hwy::SupportedAndGeneratedTargets();
    return std::vector<std::int64_t>(supported.begin(), supported.end());
  }();
  return targets;
}

void apply(std::string_view name) {
  std::int64_t mask = 0;  // 0: all that there are
  if (!name.empty()) {
    std::string known;
    for (const std::int64_t target : runnable_targets()) {
      if (name == hwy::TargetName(target)) mask = target;
      known += (known.empty() ? "" : ", ") + std::string(hwy::TargetName(target));
    }
    if (mask == 0) {
      fail(ErrorCode::invalid_argument, "XLSTM_CPU_TARGET", "expected one of ", known, " on this CPU but got \"", name,
           "\"");
    }
  }
  hwy::SetSupportedTargetsForTest(mask);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

void apply_environment_once() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const char* forced = std::getenv("XLSTM_CPU_TARGET"); forced != nullptr) apply(forced);
  });
}

}  // namespace

std::string cpu_target_name() {
  apply_environment_once();
  return hwy::TargetName(HWY_DYNAMIC_DISPATCH(current_target)());
}

std::vector<std::string> cpu_targets() {
  std::vector<std::string> names;
  for (const std::int64_t target : runnable_targets()) names.emplace_back(hwy::TargetName(target));
  return names;
}

void force_cpu_target(std::string_view name) {
  apply_environment_once();
  apply(name);
}

}  // namespace xlstm::kernels
#endif  // HWY_ONCE
