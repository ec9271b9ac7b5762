// Beam search as transformers' _beam_search has it, over whole rows of scores, with no thought for cost.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "xlstm/generation/beam_search.h"

namespace xlstm::generation {

struct ReferenceText {
  std::vector<TokenId> ids;
  double score = 0;
};

inline std::vector<double> reference_log_softmax(std::span<const float> logits) {
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double(logit));
  std::vector<double> found;
  for (const float logit : logits) found.push_back(double(logit) - std::log(sum));
  return found;
}

/// logits: those of the prompt, [V] with no id beyond the tokenizer. step(state, id) returns the next logits and
/// advances the state, which is copied by fork(state).
template <class State, class Fork, class Step>
std::vector<ReferenceText> reference_beam_search(State start, std::vector<float> logits, const Fork& fork,
                                                 const Step& step, const Request& request, const BeamParams& params) {
  struct Beam {
    State state;
    std::vector<float> logits;
    std::vector<TokenId> ids;
    double sum;
  };
  const auto is_stop = [&](TokenId id) {
    return std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
  };
  const std::size_t beams = params.num_beams, kept = beams * (1 + std::max<std::size_t>(1, request.stop_ids.size()));
  std::vector<Beam> running;
  running.push_back({std::move(start), std::move(logits), {}, 0});
  std::vector<ReferenceText> finished;
  for (std::int64_t length = 1;; ++length) {
    const double divisor = std::pow(double(length), params.length_penalty);
    std::vector<std::tuple<double, std::size_t, TokenId>> scores;
    for (std::size_t b = 0; b < running.size(); ++b) {
      const std::vector<double> row = reference_log_softmax(running[b].logits);
      for (std::size_t i = 0; i < row.size(); ++i) {
        const auto id = static_cast<TokenId>(i);
        double score = row[i];
        for (const auto& [biased, amount] : request.sampling.logit_bias) score += biased == id ? double(amount) : 0;
        if (length <= request.min_tokens && is_stop(id)) continue;
        if (std::isfinite(score)) scores.emplace_back(-(running[b].sum + score), b, id);
      }
    }
    std::sort(scores.begin(), scores.end());
    scores.resize(std::min(scores.size(), kept));
    std::vector<Beam> next;
    for (std::size_t rank = 0; rank < scores.size(); ++rank) {
      const auto& [negative, b, id] = scores[rank];
      std::vector<TokenId> ids = running[b].ids;
      ids.push_back(id);
      if (is_stop(id) || length == request.max_tokens) {
        if (rank < beams) finished.push_back({ids, -negative / divisor});
      } else if (next.size() < beams) {
        State state = fork(running[b].state);
        std::vector<float> after = step(state, id);
        next.push_back({std::move(state), std::move(after), std::move(ids), -negative});
      }
    }
    std::stable_sort(finished.begin(), finished.end(), [](const auto& x, const auto& y) { return x.score > y.score; });
    if (finished.size() > beams) finished.resize(beams);
    running = std::move(next);
    if (running.empty()) return finished;
    if (finished.size() < beams) continue;
    if (params.early_stopping == EarlyStopping::yes) return finished;
    const bool whole = params.early_stopping == EarlyStopping::never && params.length_penalty > 0;
    const double best =
        running[0].sum / (whole ? std::pow(double(request.max_tokens), params.length_penalty) : divisor);
    if (best <= finished.back().score) return finished;
  }
}

}  // namespace xlstm::generation
