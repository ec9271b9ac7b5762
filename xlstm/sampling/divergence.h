// How far apart two distributions over the same vocabulary are.
#pragma once

#include <span>

namespace xlstm::sampling {

/// KL(softmax(p) || softmax(q)) in nats, of logits of the same length: the mean over ids that p draws of how much less
/// q expects them. In double, from differences of log-probabilities, so that two distributions that are almost the same
/// lose nothing: absolute error below 1e-13, exactly 0 for equal logits, never negative. An id that p cannot draw
/// counts nothing; one that q alone cannot draw makes it infinite. Errors: those of checked_max (softmax.h).
double kl_divergence(std::span<const float> p, std::span<const float> q);

}  // namespace xlstm::sampling
