#include "xlstm/engine/bench_positions.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/engine/machine.h"
#include "xlstm/engine/statistics.h"

namespace xlstm::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kSegmentsPerPiece = 16;  // between two looks at the cancel flag

/// A position's own state, and the seconds of its steps.
struct Stop {
  std::int64_t position = 0;
  Session session;
  TokenId token = 0;
  std::size_t rss_bytes = 0;
  std::vector<double> seconds;
};

class Run {
 public:
  Run(Engine& engine, const PositionsOptions& options)
      : engine_(engine),
        options_(options),
        logits_(static_cast<std::size_t>(engine.model().config.vocab_size)),
        slot_(static_cast<std::size_t>(engine.model().state_spec.slot_size)),
        piece_(static_cast<std::size_t>(kSegmentsPerPiece) *
               std::max<std::size_t>(engine.backend().prefill_segment(), 1)) {
    // All memory before the first position, so that what is resident at each of them can be compared.
    for (const std::int64_t position : options.positions) {
      stops_.push_back({position, engine.new_session(), 0, 0, {}});
      stops_.back().session.state().from_host(slot_);
    }
  }

  std::vector<PositionResult> run() {
    warm_up();
    for (std::size_t i = 0; i < stops_.size(); ++i) {
      if (i > 0) copy_state(stops_[i - 1].session, stops_[i].session);
      read_up_to(stops_[i]);
      stops_[i].rss_bytes = rss_bytes();
    }
    for (std::int64_t round = 0; round < options_.steps; ++round) {
      check_cancelled();
      for (Stop& stop : stops_) step(stop);
    }
    return results();
  }

 private:
  void check_cancelled() const {
    if (options_.cancel != nullptr && *options_.cancel) fail(ErrorCode::cancelled, "bench", "cancelled");
  }

  /// Random ids of the text from position `first` on.
  std::span<const TokenId> text(std::int64_t first, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double place = uniform(RngKey{0, static_cast<std::uint64_t>(first + i)});
      piece_[static_cast<std::size_t>(i)] = static_cast<TokenId>(place * static_cast<double>(logits_.size()));
    }
    return std::span(piece_).first(static_cast<std::size_t>(count));
  }

  void read(Session& session, std::int64_t first, std::int64_t count) {
    const backend::PrefillRow row{text(first, count), &session.state(), backend::Logits::last, logits_};
    engine_.backend().prefill(std::span(&row, 1));
  }

  /// Working memory of prefill and decode, outside of what is measured.
  void warm_up() {
    report(0);
    Session session = engine_.new_session();
    read(session, 0, std::min(std::ssize(piece_), options_.positions.back()));
    const backend::DecodeRow row{0, &session.state(), logits_};
    engine_.backend().decode(std::span(&row, 1));
  }

  void copy_state(const Session& from, Session& to) {
    from.state().to_host(slot_);
    to.state().from_host(slot_);
  }

  /// From where the stop before it is.
  void read_up_to(Stop& stop) {
    while (position_ < stop.position) {
      check_cancelled();
      const std::int64_t count = std::min(std::ssize(piece_), stop.position - position_);
      read(stop.session, position_, count);
      position_ += count;
      report(static_cast<double>(position_) / static_cast<double>(options_.positions.back()));
    }
    stop.token = best_token();
  }

  void step(Stop& stop) {
    const auto start = Clock::now();
    const backend::DecodeRow row{stop.token, &stop.session.state(), logits_};
    engine_.backend().decode(std::span(&row, 1));
    stop.token = best_token();
    stop.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }

  TokenId best_token() const {
    return static_cast<TokenId>(std::max_element(logits_.begin(), logits_.end()) - logits_.begin());
  }

  void report(double fraction) const {
    if (options_.on_progress) options_.on_progress(fraction);
  }

  std::vector<PositionResult> results() const {
    const std::vector<double>& first = stops_.front().seconds;
    std::vector<PositionResult> results;
    for (const Stop& stop : stops_) {
      std::vector<double> ratios;
      for (std::size_t round = 0; round < first.size(); ++round) {
        ratios.push_back(ratio(stop.seconds[round], first[round]));
      }
      const double best = smallest(stop.seconds);
      results.push_back(
          {stop.position, median(stop.seconds), best, median(ratios), ratio(best, smallest(first)), stop.rss_bytes});
    }
    return results;
  }

  Engine& engine_;
  const PositionsOptions& options_;
  std::vector<float> logits_;  // [V]
  std::vector<float> slot_;    // on the way from one state to another
  std::vector<TokenId> piece_;
  std::vector<Stop> stops_;
  std::int64_t position_ = 0;
};

}  // namespace

std::vector<PositionResult> run_positions(Engine& engine, const PositionsOptions& options) {
  const std::vector<std::int64_t>& positions = options.positions;
  const bool ascending =
      std::adjacent_find(positions.begin(), positions.end(), std::greater_equal<>()) == positions.end();
  if (positions.empty() || positions.front() < 1 || !ascending) {
    fail(ErrorCode::invalid_argument, "positions", "expected positions >= 1 in ascending order");
  }
  if (options.steps < 1) fail(ErrorCode::invalid_argument, "positions", "expected steps >= 1 but got ", options.steps);
  return Run(engine, options).run();
}

}  // namespace xlstm::engine
