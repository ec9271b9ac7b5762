// Which ids may be drawn: top-k, top-p and min-p, one after another.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::sampling {

/// Scores of some ids, ids ascending. Of equal scores the lower id counts as the more probable.
struct Candidates {
  std::vector<TokenId> ids;
  std::vector<float> scores;
};

/// The k ids of the largest scores; -inf is never among them.
Candidates top_k(std::span<const float> scores, std::size_t k);

/// The shortest run of most probable ids whose share of all is at least p, at least one id. scores[i] belongs to
/// ids[i], or to id i when ids is empty. REQUIRES: 0 < p < 1, max is the largest score and finite, temperature > 0.
Candidates top_p(std::span<const TokenId> ids, std::span<const float> scores, float max, float temperature, double p);

/// Those at least min_p times as probable as the most probable. Arguments as for top_p; 0 < min_p <= 1.
Candidates min_p(std::span<const TokenId> ids, std::span<const float> scores, float max, float temperature,
                 double min_p);

}  // namespace xlstm::sampling
