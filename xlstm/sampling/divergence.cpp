#include "xlstm/sampling/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "xlstm/sampling/softmax.h"

namespace xlstm::sampling {
namespace {

// Logits less this are log-probabilities.
double log_partition(std::span<const float> logits) {
  const double max = static_cast<double>(checked_max(logits));
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit) - max);
  return max + std::log(total);
}

}  // namespace

double kl_divergence(std::span<const float> p, std::span<const float> q) {
  const double p_shift = log_partition(p), q_shift = log_partition(q);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double log_p = static_cast<double>(p[i]) - p_shift, probability = std::exp(log_p);
    if (probability > 0) sum += probability * (log_p - (static_cast<double>(q[i]) - q_shift));
  }
  return std::max(sum, 0.0);
}

}  // namespace xlstm::sampling
