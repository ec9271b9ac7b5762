// What a token costs far into a text: the measurement behind `xlstm bench --positions`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::engine {

struct PositionsOptions {
  std::vector<std::int64_t> positions;  // tokens read before the timed steps; ascending, at least 1
  std::int64_t steps = 160;             // timed at each position, at least 1
  std::function<void(double fraction)> on_progress;
  const std::atomic<bool>* cancel = nullptr;  // throws cancelled
};

/// Decode steps of one sequence that has read `position` tokens.
struct PositionResult {
  std::int64_t position = 0;
  double step_median_seconds = 0;
  double step_best_seconds = 0;
  double ratio_to_first = 0;       // median over the rounds of a step's seconds / the first position's in that round
  double best_ratio_to_first = 0;  // of the best steps
  std::size_t rss_bytes = 0;       // resident when the position was reached; the states of all positions are there
};

/// One text of random ids, read in pieces to every position in turn; then rounds of one step at each position, so that
/// a noise of the machine meets all of them. Errors: invalid_argument (no positions, not ascending, counts below 1),
/// cancelled, overloaded (no memory for the states).
std::vector<PositionResult> run_positions(Engine& engine, const PositionsOptions& options);

}  // namespace xlstm::engine
