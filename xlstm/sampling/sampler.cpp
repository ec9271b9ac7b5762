#include "xlstm/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/sampling/filters.h"
#include "xlstm/sampling/softmax.h"

namespace xlstm::sampling {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What one number is drawn from: weights[i] belongs to ids[i], or to id i when ids is empty (no filter: all of them).
struct Pool {
  std::vector<TokenId> ids;
  std::vector<float> weights;
  double total = 0;
  TokenId id(std::size_t i) const { return ids.empty() ? static_cast<TokenId>(i) : ids[i]; }
};

float to_score(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return std::isinf(value) ? static_cast<float>(value) : static_cast<float>(std::clamp(value, -kMax, kMax));
}

float penalise(float score, std::int64_t count, const SamplingParams& params) {
  double value = score;
  const double repetition = params.repetition_penalty;
  value = value > 0 ? value / repetition : value * repetition;
  value -= static_cast<double>(params.frequency_penalty) * static_cast<double>(count) + params.presence_penalty;
  return to_score(value);
}

void apply_penalties(std::span<float> scores, const SamplingParams& params, std::span<const TokenId> history) {
  history = history.last(std::min(history_window(params).value_or(history.size()), history.size()));
  const auto known = [&](TokenId id) { return id >= 0 && static_cast<std::size_t>(id) < scores.size(); };
  std::vector<std::int64_t> counts(scores.size(), 0);
  for (const TokenId id : history) {
    if (known(id)) ++counts[static_cast<std::size_t>(id)];
  }
  for (const TokenId id : history) {
    if (!known(id)) continue;
    const auto i = static_cast<std::size_t>(id);
    if (counts[i] != 0) scores[i] = penalise(scores[i], std::exchange(counts[i], 0), params);
  }
}

// What the draw is made from: one score an id below the limit, and the largest. The logits themselves when nothing
// changes them.
class Scores {
 public:
  Scores(std::span<const float> logits, const SamplingParams& params, std::span<const TokenId> history,
         std::size_t vocab_limit)
      : values_(logits.first(std::min(logits.size(), vocab_limit))) {
    if (logits.empty() || vocab_limit == 0) {
      fail(ErrorCode::internal, "logits", "expected at least one id to choose from but got ", logits.size(),
           " logits for a vocabulary of ", vocab_limit);
    }
    // Of all logits: a NaN is a fault of the model wherever it stands, and would hide behind a ban or the limit.
    max_ = checked_max(logits);
    const bool adjusted = !params.logit_bias.empty() || history_window(params) != 0u;
    if (adjusted) adjust(params, history);
    if (adjusted || values_.size() < logits.size()) max_ = checked_max(values_);
  }
  Scores(const Scores&) = delete;
  std::span<const float> values() const { return values_; }
  float max() const { return max_; }

 private:
  void adjust(const SamplingParams& params, std::span<const TokenId> history) {
    storage_.assign(values_.begin(), values_.end());
    for (const auto& [id, bias] : params.logit_bias) {
      if (static_cast<std::size_t>(id) >= storage_.size()) continue;
      float& score = storage_[static_cast<std::size_t>(id)];
      score = to_score(static_cast<double>(score) + bias);
    }
    if (history_window(params) != 0u) apply_penalties(storage_, params, history);
    values_ = storage_;
  }

  std::vector<float> storage_;
  std::span<const float> values_;
  float max_ = 0;
};

Pool make_pool(const Scores& scores, const SamplingParams& params) {
  std::span<const float> values = scores.values();
  Candidates kept;
  const auto narrow = [&](Candidates next) {
    kept = std::move(next);
    values = kept.scores;
  };
  const float max = scores.max(), temperature = params.temperature;
  if (params.top_k > 0 && static_cast<std::size_t>(params.top_k) < values.size()) {
    narrow(top_k(values, static_cast<std::size_t>(params.top_k)));
  }
  if (params.top_p < 1) narrow(top_p(kept.ids, values, max, temperature, params.top_p));
  if (params.min_p > 0) narrow(min_p(kept.ids, values, max, temperature, params.min_p));
  Pool pool;
  pool.weights.resize(values.size());
  pool.total = softmax_weights(values, max, temperature, pool.weights);
  pool.ids = std::move(kept.ids);
  return pool;
}

TokenId greedy(const Scores& scores) {
  const auto values = scores.values();
  return static_cast<TokenId>(std::find(values.begin(), values.end(), scores.max()) - values.begin());
}

/// log of the sum of exp(logits).
double log_sum_exp(std::span<const float> logits) {
  const float max = checked_max(logits);
  std::vector<float> weights(logits.size());
  return max + std::log(softmax_weights(logits, max, 1.0f, weights));
}

template <class T>
void expect(bool holds, const char* field, const char* expected, const T& found) {
  if (!holds) fail(ErrorCode::invalid_argument, field, "expected ", expected, " but got ", found);
}

}  // namespace

std::optional<std::size_t> history_window(const SamplingParams& params) {
  if (params.repetition_penalty == 1.0f && params.frequency_penalty == 0.0f && params.presence_penalty == 0.0f)
    return 0;
  if (params.penalty_window < 0) return std::nullopt;
  return static_cast<std::size_t>(params.penalty_window);
}

void validate(const SamplingParams& params) {
  expect(std::isfinite(params.temperature) && params.temperature >= 0, "temperature", "a finite number >= 0",
         params.temperature);
  expect(params.top_k >= 0, "top_k", "a number >= 0 (0: off)", params.top_k);
  expect(params.top_p > 0 && params.top_p <= 1, "top_p", "a number in (0, 1]", params.top_p);
  expect(params.min_p >= 0 && params.min_p <= 1, "min_p", "a number in [0, 1]", params.min_p);
  expect(std::isfinite(params.repetition_penalty) && params.repetition_penalty > 0, "repetition_penalty",
         "a finite number > 0", params.repetition_penalty);
  expect(std::isfinite(params.frequency_penalty), "frequency_penalty", "a finite number", params.frequency_penalty);
  expect(std::isfinite(params.presence_penalty), "presence_penalty", "a finite number", params.presence_penalty);
  expect(params.penalty_window >= -1, "penalty_window", "a number of ids >= 0, or -1 for all", params.penalty_window);
  for (const auto& [id, bias] : params.logit_bias) {
    expect(id >= 0, "logit_bias", "ids >= 0", id);
    expect(bias < kInfinity, "logit_bias", "finite numbers or -inf", bias);
  }
}

TokenId sample(std::span<const float> logits, const SamplingParams& params, std::span<const TokenId> history,
               std::size_t vocab_limit, RngKey key) {
  validate(params);
  const Scores scores(logits, params, history, vocab_limit);
  if (params.temperature == 0.0f) return greedy(scores);
  const Pool pool = make_pool(scores, params);
  return pool.id(inverse_cdf(pool.weights, pool.total, uniform(key)));
}

std::vector<std::pair<TokenId, double>> distribution(std::span<const float> logits, const SamplingParams& params,
                                                     std::span<const TokenId> history, std::size_t vocab_limit) {
  validate(params);
  const Scores scores(logits, params, history, vocab_limit);
  if (params.temperature == 0.0f) return {{greedy(scores), 1.0}};
  const Pool pool = make_pool(scores, params);
  std::vector<std::pair<TokenId, double>> entries;
  for (std::size_t i = 0; i < pool.weights.size(); ++i) {
    if (pool.weights[i] > 0) entries.emplace_back(pool.id(i), static_cast<double>(pool.weights[i]) / pool.total);
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return entries;
}

double log_probability(std::span<const float> logits, TokenId id) {
  if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) {
    fail(ErrorCode::invalid_argument, "log_probability", "expected an id in [0, ", logits.size(), ") but got ", id);
  }
  return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits);
}

std::vector<std::pair<TokenId, double>> top_log_probabilities(std::span<const float> logits, std::size_t count) {
  const double norm = log_sum_exp(logits);
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), TokenId{0});
  count = std::min(count, ids.size());
  const auto score = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
  std::partial_sort(ids.begin(), ids.begin() + std::ptrdiff_t(count), ids.end(),
                    [&](TokenId a, TokenId b) { return score(a) != score(b) ? score(a) > score(b) : a < b; });
  std::vector<std::pair<TokenId, double>> top;
  for (const TokenId id : std::span(ids).first(count)) top.emplace_back(id, static_cast<double>(score(id)) - norm);
  return top;
}

}  // namespace xlstm::sampling
