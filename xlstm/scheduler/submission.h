// A request as the scheduler takes it, and what it gives back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <vector>

#include "xlstm/generation/beam_search.h"
#include "xlstm/generation/request.h"
#include "xlstm/generation/sequence.h"
#include "xlstm/scheduler/prefix_cache.h"

namespace xlstm::scheduler {

using RequestId = std::uint64_t;

/// Where a request starts when not from nothing: a state, and the ids that it has read.
struct Start {
  Snapshot snapshot;
  std::vector<TokenId> ids;
};

/// One sample of a request, ended.
struct Sample {
  generation::Result result;
  /// Has read start, prompt and all generated ids but the last; empty after a fault in it, of beams, and when it was
  /// swapped out or drained.
  SharedState state;
  std::size_t number = 0;  // among those drawn
  double score = 0;        // with best_of the mean log-probability of the generated ids, with beams theirs
};

struct Outcome;

/// Called on the thread that runs the scheduler; must not block. What one throws ends its own request.
struct Listener {
  std::function<void(std::size_t done, std::size_t total)> on_prefill;  // tokens of the prompt
  std::function<void(std::size_t sample, const generation::Token&)> on_token;
  std::function<void(Outcome)> on_end;  // once, after everything else; must not throw
};

struct Submission {
  generation::Request request;
  std::int64_t priority = 0;    // the larger goes first
  std::size_t num_samples = 1;  // returned, all from one prefill; sample i takes the seed + i
  /// So many are drawn, and the num_samples of the largest mean log-probability come back (of equal ones those drawn
  /// first); 0: all that are drawn. Listeners hear of all.
  std::size_t best_of = 0;
  /// With num_beams the num_samples best texts of a beam search come back; listeners hear of no token.
  generation::BeamParams beams;
  std::optional<Start> start;
  /// -1: none; n: the log-probability of each id of the prompt and of the n most probable there. All of the prompt is
  /// read then, none of it from the prefix cache. max_tokens 0: nothing else.
  std::int64_t prompt_logprobs = -1;
  bool use_cache = true;                  // the prefix cache, to read and to write; not with a start
  bool exact_reuse = false;               // only what gives the bits of an uncached run
  std::vector<std::size_t> snapshots_at;  // lengths of beginnings of the prompt to keep, as template boundaries
  Listener listener;

  /// States that it decodes with.
  std::size_t num_tracks() const noexcept { return std::max({num_samples, best_of, beams.num_beams}); }
};

/// What is left of a request that was drained, to be submitted anywhere: the same ids and text go on from there, in an
/// engine of the same arithmetic to the bit. It has no listener. A beam search begins again. Samples of a best_of go on
/// each for itself with a score of what is still drawn: which of them are the best is left to the caller.
struct Rest {
  std::size_t sample = 0;  // of the request: `submission` draws this one, or all of them when none had begun
  Submission submission;
};

struct Outcome {
  std::vector<Sample> samples;    // those that began to decode, by number; with best_of or beams the best first, unless
                                  // it was drained
  std::size_t prompt_tokens = 0;  // of the request, cached ones included
  /// With Submission::prompt_logprobs: one an id of the prompt; none of the first, unless a start has
  /// logits.
  std::vector<std::optional<generation::TokenLogProbs>> prompt_logprobs;
  std::size_t cached_tokens = 0;  // of these, how many were not read again
  double queue_seconds = 0;       // from submission to the first piece of the prompt
  std::exception_ptr error;       // the fault that ended the request, if one did
  std::vector<Rest> rest;         // of samples that were drained; their text here is what was said so far
};

}  // namespace xlstm::scheduler
