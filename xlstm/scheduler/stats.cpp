#include "xlstm/scheduler/stats.h"

#include <cmath>
#include <limits>

namespace xlstm::scheduler {
namespace {

constexpr double kFirst = 1e-4;

}  // namespace

double Histogram::upper(std::size_t bucket) noexcept {
  if (bucket + 1 >= kBuckets) return std::numeric_limits<double>::infinity();
  return std::ldexp(kFirst, static_cast<int>(bucket));
}

void Histogram::observe(double seconds) noexcept {
  std::size_t bucket = 0;
  while (seconds > upper(bucket)) ++bucket;
  ++buckets_[bucket];
  ++count_;
  sum_ += seconds;
}

double Histogram::quantile(double share) const noexcept {
  const double wanted = share * static_cast<double>(count_);
  std::size_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += buckets_[i];
    if (below > 0 && static_cast<double>(below) >= wanted) return upper(i);
  }
  return 0;
}

}  // namespace xlstm::scheduler
