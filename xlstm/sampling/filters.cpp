#include "xlstm/sampling/filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "xlstm/sampling/softmax.h"

namespace xlstm::sampling {
namespace {

TokenId id_at(std::span<const TokenId> ids, std::size_t i) { return ids.empty() ? static_cast<TokenId>(i) : ids[i]; }

// Where a run of most probable ids ends: every score above `score`, and the first `num_equal` that equal it.
struct Cut {
  float score = 0;
  std::size_t num_equal = 0;
  bool keeps(float other) { return other > score || (other == score && num_equal > 0 && num_equal-- > 0); }
};

// The end of the k most probable. REQUIRES: 0 < k <= scores.size(). Reorders scores.
Cut cut_by_count(std::vector<float>& scores, std::size_t k) {
  const auto kth = scores.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(scores.begin(), kth, scores.end(), std::greater<>());
  return {*kth, static_cast<std::size_t>(std::count(scores.begin(), kth, *kth)) + 1};
}

void keep_best(Candidates& candidates, std::size_t k) {
  if (candidates.ids.size() <= k) return;
  std::vector<float> scratch = candidates.scores;
  Cut cut = cut_by_count(scratch, k);
  std::size_t to = 0;
  for (std::size_t i = 0; i < candidates.ids.size(); ++i) {
    if (!cut.keeps(candidates.scores[i])) continue;
    candidates.ids[to] = candidates.ids[i];
    candidates.scores[to++] = candidates.scores[i];
  }
  candidates.ids.resize(to);
  candidates.scores.resize(to);
}

using Weighted = std::pair<float, float>;  // score, weight

// The end of the shortest run, by falling score, that weighs at least `target`: bisection by nth_element, so that the
// work halves each time. REQUIRES: not empty.
Cut cut_by_weight(std::vector<Weighted>& members, double target) {
  const auto higher = [](const Weighted& a, const Weighted& b) { return a.first > b.first; };
  auto first = members.begin();
  auto last = members.end();
  double before = 0;  // weight of [begin, first), less than target
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, higher);
    double weight = 0;
    for (auto it = first; it != middle; ++it) weight += static_cast<double>(it->second);
    if (before + weight >= target) {
      last = middle;
    } else {
      before += weight;
      first = middle;
    }
  }
  const float score = first->first;  // *first is the last one kept; the members before it score at least as much
  const auto is_equal = [&](const Weighted& member) { return member.first == score; };
  return {score, static_cast<std::size_t>(std::count_if(members.begin(), last, is_equal))};
}

// Finds where top-p ends without sorting: weights are summed in bins of the score, and only the bin in which the sum
// reaches the target is looked into. Ids of weight <= (1 - p) total / count weigh at most (1 - p) total together, so
// the others reach p; in a language model's distribution they are few, and that weight bounds the range of the bins.
class NucleusFinder {
 public:
  NucleusFinder(std::span<const float> scores, float max, float temperature, double p)
      : scores_(scores), weights_(scores.size()), max_(max), temperature_(temperature) {
    const double total = softmax_weights(scores, max, temperature, weights_);
    target_ = p * total;
    const double least = 0.999 * (1.0 - p) * total / static_cast<double>(scores.size());  // 0.999: rounding
    least_weight_ = static_cast<float>(least);
    bins_per_unit_ = static_cast<float>(kBins / -std::log(least));  // least < 1: no weight exceeds 1
  }

  Cut find() const {
    std::array<double, kBins> bin_weights{};
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (weights_[i] > least_weight_) bin_weights[bin(i)] += static_cast<double>(weights_[i]);
    }
    std::size_t end = 0;
    double before = 0;
    while (end + 1 < kBins && before + bin_weights[end] < target_) before += bin_weights[end++];
    while (bin_weights[end] == 0) before -= bin_weights[--end];  // rounding kept the sum below the target: the last one
    std::vector<Weighted> members;
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (weights_[i] > least_weight_ && bin(i) == end) members.emplace_back(scores_[i], weights_[i]);
    }
    return cut_by_weight(members, target_ - before);
  }

 private:
  static constexpr std::size_t kBins = 1024;

  std::size_t bin(std::size_t i) const {  // of rising number with falling score
    const auto number = static_cast<std::size_t>((max_ - scores_[i]) / temperature_ * bins_per_unit_);
    return std::min(number, kBins - 1);
  }

  std::span<const float> scores_;
  std::vector<float> weights_;
  float max_, temperature_;
  double target_ = 0;
  float least_weight_ = 0, bins_per_unit_ = 0;
};

}  // namespace

Candidates top_k(std::span<const float> scores, std::size_t k) {
  Candidates kept;
  const std::size_t room = std::max<std::size_t>(2 * k, 256);
  float threshold = -std::numeric_limits<float>::infinity();
  // The threshold rises whenever the buffer is full, so that almost every score costs one comparison. An equal score
  // met later has the higher id and loses.
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] > threshold)) continue;
    kept.ids.push_back(static_cast<TokenId>(i));
    kept.scores.push_back(scores[i]);
    if (kept.ids.size() < room) continue;
    keep_best(kept, k);
    threshold = *std::min_element(kept.scores.begin(), kept.scores.end());
  }
  keep_best(kept, k);
  return kept;
}

Candidates top_p(std::span<const TokenId> ids, std::span<const float> scores, float max, float temperature, double p) {
  Cut cut = NucleusFinder(scores, max, temperature, p).find();
  Candidates kept;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!cut.keeps(scores[i])) continue;
    kept.ids.push_back(id_at(ids, i));
    kept.scores.push_back(scores[i]);
  }
  return kept;
}

Candidates min_p(std::span<const TokenId> ids, std::span<const float> scores, float max, float temperature,
                 double min_p) {
  const double least = max + static_cast<double>(temperature) * std::log(min_p);
  Candidates kept;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (static_cast<double>(scores[i]) < least) continue;
    kept.ids.push_back(id_at(ids, i));
    kept.scores.push_back(scores[i]);
  }
  return kept;
}

}  // namespace xlstm::sampling
