#include "xlstm/scheduler/plan.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace xlstm::scheduler {
namespace {

/// Tokens of a piece that starts at `position` and takes about `wanted`; 0: not even one segment fits.
std::size_t piece_tokens(const SequenceView& s, std::size_t wanted, std::size_t segment) {
  if (s.prompt_left <= wanted) return s.prompt_left;
  const std::size_t end = (s.position + wanted) / segment * segment;
  return end > s.position ? end - s.position : 0;
}

std::size_t first_piece_tokens(const SequenceView& s, std::size_t wanted, std::size_t segment) {
  const std::size_t least = std::min(s.prompt_left, segment - s.position % segment);
  return std::max(least, piece_tokens(s, wanted, segment));
}

std::vector<Piece> plan_prefill(std::span<const SequenceView> sequences, const Limits& limits) {
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].prompt_left > 0) waiting.push_back(i);
  }
  const auto key = [&](std::size_t i) {
    const SequenceView& s = sequences[i];
    return std::tuple(-s.priority, s.service, s.order);
  };
  std::sort(waiting.begin(), waiting.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });

  std::vector<Piece> pieces;
  std::size_t left = limits.prefill_tokens;
  for (const std::size_t i : waiting) {
    const SequenceView& s = sequences[i];
    const std::size_t tokens =
        pieces.empty() ? first_piece_tokens(s, left, limits.segment) : piece_tokens(s, left, limits.segment);
    if (tokens == 0) continue;  // another may have a shorter rest
    pieces.push_back({i, tokens});
    left -= std::min(left, tokens);
    if (left == 0) break;
  }
  return pieces;
}

std::vector<std::size_t> plan_decode(std::span<const SequenceView> sequences, const Limits& limits) {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].prompt_left == 0) rows.push_back(i);
  }
  const auto key = [&](std::size_t i) {
    const SequenceView& s = sequences[i];
    return std::tuple(-s.priority, !(s.has_row && s.slice_left > 0), s.service, s.order);
  };
  std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  rows.resize(std::min(rows.size(), limits.max_rows));
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

StepPlan plan_step(std::span<const SequenceView> sequences, const Limits& limits) {
  return {plan_prefill(sequences, limits), plan_decode(sequences, limits)};
}

std::vector<std::size_t> plan_admission(std::span<const WaitingView> waiting, std::size_t free_states) {
  std::vector<std::size_t> order(waiting.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) { return std::pair(-waiting[i].priority, waiting[i].order); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<std::size_t> admitted;
  for (const std::size_t i : order) {
    if (waiting[i].states > free_states) break;
    free_states -= waiting[i].states;
    admitted.push_back(i);
  }
  return admitted;
}

}  // namespace xlstm::scheduler
