// The arithmetic under sampling: the largest logit, exponentials of many logits, an inverse-CDF draw.
#pragma once

#include <cstddef>
#include <span>

namespace xlstm::sampling {

/// The largest score. Errors: internal when a score is NaN or +inf, or none is finite.
float checked_max(std::span<const float> scores);

/// weights[i] = exp((scores[i] - max) / temperature), 0 from e^-88 down; returns their sum.
/// REQUIRES: every score <= max, max finite, temperature > 0. Relative error below 1e-5 (of the argument's rounding) +
/// 2e-7.
double softmax_weights(std::span<const float> scores, float max, float temperature, std::span<float> weights);

/// Index i drawn with probability weights[i] / total from one uniform number in (0, 1).
/// REQUIRES: weights >= 0, total their sum as softmax_weights returns it, total > 0. Never an index of weight 0.
std::size_t inverse_cdf(std::span<const float> weights, double total, double uniform);

}  // namespace xlstm::sampling
