// The sampling distribution computed from its definition, slowly and in long double: what sample() is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "xlstm/sampling/sampler.h"

namespace xlstm::sampling {

using Real = long double;
using Ranked = std::vector<std::pair<TokenId, Real>>;

// Mask, bias and penalties: score of every id that may be chosen at all.
inline Ranked reference_scores(std::span<const float> logits, const SamplingParams& params,
                               std::span<const TokenId> history, std::size_t vocab_limit) {
  Ranked scores;
  for (std::size_t id = 0; id < std::min(logits.size(), vocab_limit); ++id) {
    Real score = logits[id];
    for (const auto& [biased, bias] : params.logit_bias) {
      if (biased == static_cast<TokenId>(id)) score += bias;
    }
    const std::size_t window = params.penalty_window < 0
                                   ? history.size()
                                   : std::min(history.size(), static_cast<std::size_t>(params.penalty_window));
    const auto recent = history.last(window);
    const auto count = std::count(recent.begin(), recent.end(), static_cast<TokenId>(id));
    if (count > 0) {
      score = score > 0 ? score / params.repetition_penalty : score * params.repetition_penalty;
      score -= static_cast<Real>(count) * params.frequency_penalty + params.presence_penalty;
    }
    if (std::isfinite(score)) scores.emplace_back(static_cast<TokenId>(id), score);
  }
  return scores;
}

inline void normalise(Ranked& probabilities) {
  Real total = 0;
  for (const auto& [id, probability] : probabilities) total += probability;
  for (auto& [id, probability] : probabilities) probability /= total;
}

// Sorted by falling probability, lower id first among equals; probabilities sum to 1.
inline Ranked reference_distribution(std::span<const float> logits, const SamplingParams& params,
                                     std::span<const TokenId> history, std::size_t vocab_limit) {
  Ranked ranked = reference_scores(logits, params, history, vocab_limit);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (params.temperature == 0) return {{ranked.front().first, 1}};
  const Real max = ranked.front().second;
  for (auto& [id, score] : ranked) score = std::exp((score - max) / static_cast<Real>(params.temperature));
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < ranked.size()) {
    ranked.resize(static_cast<std::size_t>(params.top_k));
  }
  normalise(ranked);
  if (params.top_p < 1) {
    Real cumulated = 0;
    std::size_t kept = 0;
    while (kept < ranked.size() && (kept == 0 || cumulated < params.top_p)) cumulated += ranked[kept++].second;
    ranked.resize(kept);
    normalise(ranked);
  }
  const Real least = params.min_p * ranked.front().second;
  std::erase_if(ranked, [&](const auto& entry) { return entry.second < least; });
  normalise(ranked);
  return ranked;
}

}  // namespace xlstm::sampling
