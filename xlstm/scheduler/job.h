// A request inside the scheduler.
#pragma once

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

/// A sample that decodes, or has ended.
struct Track {
  Track(std::size_t index, const tokenizer::Tokenizer& tokenizer, const generation::Request& request)
      : number(index), sequence(tokenizer, request) {}

  std::size_t number;  // of the sample
  generation::Sequence sequence;
  SharedState state;
  std::optional<TokenId> pending;  // drawn, not yet read by the state
  generation::Result result;
  Clock::time_point first_token, last_token;
  double service = 0;
  bool has_row = false;
  std::size_t slice_left = 0;
};

struct Job {
  RequestId id = 0;
  Submission submission;
  std::vector<TokenId> ids;      // start and prompt
  std::size_t start_tokens = 0;  // of ids, those of the start
  std::size_t position = 0;      // of ids, how many the state has read
  Path path = Path::aligned;     // to `position`
  bool admitted = false;         // it may use num_samples states
  bool cancelled = false;
  std::exception_ptr fault;
  SharedState state;                           // while it prefills
  std::vector<std::unique_ptr<Track>> tracks;  // empty while it prefills
  std::vector<std::size_t> boundaries;         // positions of snapshots that are asked for, ascending
  std::vector<std::size_t> ladder;             // positions of its other snapshots, ascending
  double service = 0;
  Outcome outcome;
  Clock::time_point submitted = Clock::now(), started;

  std::size_t prompt_left() const noexcept { return ids.size() - position; }
  bool prefilling() const noexcept { return admitted && tracks.empty(); }
};

}  // namespace xlstm::scheduler
