// A request inside the scheduler.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "xlstm/generation/sequence.h"
#include "xlstm/scheduler/snapshot_store.h"
#include "xlstm/scheduler/submission.h"

namespace xlstm::scheduler {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A sample that decodes, or has ended; or a beam.
struct Track {
  std::size_t number = 0;                                // of the sample
  std::optional<generation::Sequence> sequence;          // of a sample
  std::optional<generation::BeamCandidates> candidates;  // of a beam that was decoded, until all of them were
  SharedState state;                                     // empty while it is swapped out
  std::unique_ptr<SwappedState> swapped;                 // then it is there
  std::future<std::vector<float>> arrival;               // and on its way back when this is valid
  std::optional<TokenId> pending;                        // drawn, not yet read by the state
  generation::Result result;
  Clock::time_point first_token, last_token;
  double logprob = 0;  // of all that was drawn, with best_of
  double service = 0;
  bool has_row = false;
  std::size_t slice_left = 0;
  std::vector<float> logits;  // [V] when it is drained: `pending` is read

  bool ended() const noexcept { return sequence && sequence->ended(); }
  bool decodes() const noexcept { return sequence ? !sequence->ended() : !candidates; }
  bool ready() const noexcept { return decodes() && state; }
};

struct Job {
  RequestId id = 0;
  Submission submission;
  std::vector<TokenId> ids;                          // start and prompt
  std::size_t start_tokens = 0;                      // of ids, those of the start
  std::size_t position = 0;                          // of ids, how many the state has read
  Path path = Path::aligned;                         // to `position`
  bool admitted = false;                             // it may use num_tracks() states
  std::shared_ptr<std::atomic<bool>> wanted;         // by a worker that reads its prompt: `arrival` is from there
  bool local = false;                                // no worker reads it any more: one has failed
  std::uint64_t order = 0;                           // among those who wait
  std::size_t turn = 0;                              // tokens decoded since it was admitted
  std::future<std::optional<HostSnapshot>> arrival;  // valid: it waits for a state from elsewhere
  std::optional<HostSnapshot> arrived;               // which is here, but has no place yet
  bool cancelled = false, drained = false;
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
  bool awaits_state() const noexcept { return arrival.valid() || arrived; }
  bool ended() const { return beams ? beams->ended() : !tracks.empty() && ended_samples() == tracks.size(); }
  std::size_t ended_samples() const {
    const auto ended = [](const auto& track) { return track->ended(); };
    return static_cast<std::size_t>(std::count_if(tracks.begin(), tracks.end(), ended));
  }
  /// States that it has or may take.
  std::size_t rights() const { return admitted ? submission.num_tracks() : ended_samples(); }
  /// Of samples and beams that go on.
  std::size_t states_to_run() const { return submission.num_tracks() - ended_samples(); }
};

}  // namespace xlstm::scheduler
