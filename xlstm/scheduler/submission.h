// A request as the scheduler takes it, and what it gives back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <vector>

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
  SharedState state;  // has read start, prompt and all generated ids but the last; empty after a fault in it
};

struct Outcome {
  std::vector<Sample> samples;    // those that began to decode, in order of their number
  std::size_t prompt_tokens = 0;  // of the request, cached ones included
  std::size_t cached_tokens = 0;  // of these, how many were not read again
  double queue_seconds = 0;       // from submission to the first piece of the prompt
  std::exception_ptr error;       // the fault that ended the request, if one did
};

/// Called on the thread that runs the scheduler; must not block. What one throws ends its own request.
struct Listener {
  std::function<void(std::size_t done, std::size_t total)> on_prefill;  // tokens of the prompt
  std::function<void(std::size_t sample, const generation::Token&)> on_token;
  std::function<void(Outcome)> on_end;  // once, after everything else; must not throw
};

struct Submission {
  generation::Request request;
  std::int64_t priority = 0;    // the larger goes first
  std::size_t num_samples = 1;  // drawn from one prefill; sample i takes the seed + i
  std::optional<Start> start;
  bool use_cache = true;                  // the prefix cache, to read and to write; not with a start
  bool exact_reuse = false;               // only what gives the bits of an uncached run
  std::vector<std::size_t> snapshots_at;  // lengths of beginnings of the prompt to keep, as template boundaries
  Listener listener;
};

}  // namespace xlstm::scheduler
