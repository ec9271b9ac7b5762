// A request inside the scheduler.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "xlstm/generation/sequence.h"
#include "xlstm/scheduler/submission.h"

namespace xlstm::scheduler {

using Clock = std::chrono::steady_clock;

/// A sample that decodes, or has ended; or a beam.
struct Track {
  std::size_t number = 0;                                // of the sample
  std::optional<generation::Sequence> sequence;          // of a sample
  std::optional<generation::BeamCandidates> candidates;  // of a beam that was decoded, until all of them were
  SharedState state;
  std::optional<TokenId> pending;  // drawn, not yet read by the state
  generation::Result result;
  Clock::time_point first_token, last_token;
  double logprob = 0;  // of all that was drawn, with best_of
  double service = 0;
  bool has_row = false;
  std::size_t slice_left = 0;

  bool ended() const noexcept { return sequence && sequence->ended(); }
  bool decodes() const noexcept { return sequence ? !sequence->ended() : !candidates; }
};

struct Job {
  RequestId id = 0;
  Submission submission;
  std::vector<TokenId> ids;      // start and prompt
  std::size_t start_tokens = 0;  // of ids, those of the start
  std::size_t position = 0;      // of ids, how many the state has read
  Path path = Path::aligned;     // to `position`
  bool admitted = false;         // it may use num_tracks() states
  bool cancelled = false;
  std::exception_ptr fault;
  SharedState state;                            // while it prefills
  std::vector<std::unique_ptr<Track>> tracks;   // empty while it prefills
  std::optional<generation::BeamSearch> beams;  // from its first token on
  std::vector<std::size_t> boundaries;          // positions of snapshots that are asked for, ascending
  std::vector<std::size_t> ladder;              // positions of its other snapshots, ascending
  double service = 0;
  Outcome outcome;
  Clock::time_point submitted = Clock::now(), started, decode_started;

  bool scored() const noexcept { return submission.prompt_logprobs >= 0; }
  std::size_t prompt_left() const noexcept { return ids.size() - position; }
  bool prefilling() const noexcept { return admitted && tracks.empty() && !beams; }
  bool ended() const {
    if (beams) return beams->ended();
    return !tracks.empty() &&
           std::all_of(tracks.begin(), tracks.end(), [](const auto& track) { return track->ended(); });
  }
};

}  // namespace xlstm::scheduler
