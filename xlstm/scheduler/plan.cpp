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

std::vector<std::size_t> indices(std::size_t count) {
  std::vector<std::size_t> all(count);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

std::vector<std::size_t> admission_order(std::span<const WaitingView> waiting) {
  std::vector<std::size_t> order = indices(waiting.size());
  const auto key = [&](std::size_t i) { return std::pair(-waiting[i].priority, waiting[i].order); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  return order;
}

}  // namespace

StepPlan plan_step(std::span<const SequenceView> sequences, const Limits& limits) {
  return {plan_prefill(sequences, limits), plan_decode(sequences, limits)};
}

std::vector<std::size_t> plan_admission(std::span<const WaitingView> waiting, std::size_t free_states) {
  std::vector<std::size_t> admitted;
  for (const std::size_t i : admission_order(waiting)) {
    if (waiting[i].states > free_states) break;
    free_states -= waiting[i].states;
    admitted.push_back(i);
  }
  return admitted;
}

std::vector<std::size_t> plan_swap_out(std::span<const WaitingView> waiting, std::span<const RunningView> running,
                                       std::size_t free_states, std::size_t turn) {
  std::vector<std::size_t> victims = indices(running.size()), chosen;
  const auto key = [&](std::size_t i) {
    const RunningView& r = running[i];
    return std::tuple(r.priority, ~r.turn, ~r.order);
  };
  std::sort(victims.begin(), victims.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  for (const std::size_t i : admission_order(waiting)) {
    const WaitingView& w = waiting[i];
    std::vector<std::size_t> his;
    std::size_t freed = free_states;
    for (const std::size_t v : victims) {
      if (freed >= w.states) break;
      const RunningView& r = running[v];
      if (r.priority > w.priority || (r.priority == w.priority && r.turn < turn)) continue;
      his.push_back(v);
      freed += r.states;
    }
    if (freed < w.states) break;
    free_states = freed - w.states;
    std::erase_if(victims, [&](std::size_t v) { return std::find(his.begin(), his.end(), v) != his.end(); });
    chosen.insert(chosen.end(), his.begin(), his.end());
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace xlstm::scheduler
