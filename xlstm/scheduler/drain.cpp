// Requests that are to go on elsewhere: what they leave is a submission that begins where they stand.
#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

void Scheduler::drain() {
  reap();
  const std::vector<std::unique_ptr<Job>> jobs = std::exchange(jobs_, {});  // a listener may submit the next one
  std::vector<Job*> here, out;
  for (const auto& job : jobs) {
    const bool complete = std::all_of(job->tracks.begin(), job->tracks.end(),
                                      [](const auto& track) { return track->ended() || track->state; });
    (complete ? here : out).push_back(job.get());
  }
  drain(here);
  for (Job* job : out) drain(std::span(&job, 1));  // one at a time: their states lie on disk for want of memory
}

void Scheduler::drain(std::span<Job* const> jobs) {
  for (Job* job : jobs) {
    job->drained = true;
    guard(*job, [&] { return_states(*job); });
  }
  read_pending(jobs);
  for (Job* job : jobs) {
    guard(*job, [&] { take_rest(*job); });
    finish(*job);
  }
}

/// A state of its own for every sample, which nobody counts. A beam search begins again: nobody has heard of it yet.
void Scheduler::return_states(Job& job) {
  if (std::exchange(job.beams, std::nullopt)) job.tracks.clear();
  for (const auto& track : job.tracks) {
    if (track->ended()) continue;
    if (track->state) {
      track->state = StatePool::detach(std::exchange(track->state, {}));
      continue;
    }
    if (!track->arrival.valid()) track->arrival = track->swapped->read();
    const std::vector<float> slot = track->arrival.get();
    track->swapped.reset();
    track->state = StatePool::adopt(backend_.make_state());
    pool_.writable(track->state).from_host(slot);
    ++stats_.swaps_in;
  }
}

/// So that states have read all that was drawn, and what is left begins with logits.
void Scheduler::read_pending(std::span<Job* const> jobs) {
  std::vector<SequenceRef> refs;
  for (Job* job : jobs) {
    for (const auto& track : job->tracks) {
      if (track->ready() && !job->fault) refs.push_back({job, track.get()});
    }
  }
  for (std::size_t first = 0; first < refs.size(); first += options_.max_rows) {
    const auto batch = std::span(refs).subspan(first, std::min(options_.max_rows, refs.size() - first));
    std::vector<backend::DecodeRow> rows;
    for (const SequenceRef& ref : batch) {
      ref.track->logits.resize(vocab_size());
      rows.push_back({ref.track->pending.value(), &pool_.writable(ref.track->state), ref.track->logits});
    }
    try {
      backend_.decode(rows);
      stats_.decode_tokens += rows.size();
    } catch (...) {  // of no single row, and their states are lost
      for (const SequenceRef& ref : batch) ref.job->fault = std::current_exception();
    }
  }
}

void Scheduler::take_rest(Job& job) {
  if (job.tracks.empty()) {
    job.outcome.rest.push_back({0, rest_of_prompt(job)});
    return;
  }
  for (const auto& track : job.tracks) {
    if (track->ended()) continue;
    job.outcome.rest.push_back({track->number, rest_of(job, *track)});
    track->state = {};
  }
}

/// Of a sample that decodes.
Submission Scheduler::rest_of(const Job& job, const Track& track) const {
  Submission rest = job.submission;
  rest.listener = {};
  rest.num_samples = 1;
  rest.best_of = std::min<std::size_t>(rest.best_of, 1);  // for its score
  rest.prompt_logprobs = -1;                              // they are known
  rest.snapshots_at.clear();
  const std::vector<TokenId>& drawn = track.result.ids;
  generation::Request& request = rest.request;
  request.sampling.seed += track.number;
  request.history.insert(request.history.end(), request.prompt.begin(), request.prompt.end());
  request.history.insert(request.history.end(), drawn.begin(), drawn.end());
  request.prompt.clear();
  request.logits = track.logits;
  request.drawn += drawn.size();
  if (request.max_tokens >= 0) request.max_tokens -= std::ssize(drawn);
  std::vector<TokenId> ids = job.ids;
  ids.insert(ids.end(), drawn.begin(), drawn.end());
  rest.start = Start{{track.state, {}, Path::other}, std::move(ids)};
  return rest;
}

/// Of a request that has drawn nothing: from where its prompt is read to, if that is not where it began. What says
/// something about all of the prompt begins again.
Submission Scheduler::rest_of_prompt(Job& job) const {
  Submission rest = job.submission;
  rest.listener = {};
  const bool whole = job.scored() || rest.request.echo;
  if (whole) job.outcome.prompt_logprobs.clear();
  if (whole || !job.state || job.position == job.start_tokens) return rest;
  rest.snapshots_at.clear();
  const auto read = job.ids.begin() + std::ptrdiff_t(job.position);
  generation::Request& request = rest.request;
  request.history.insert(request.history.end(), job.ids.begin() + std::ptrdiff_t(job.start_tokens), read);
  request.prompt.assign(read, job.ids.end());
  rest.start = Start{{StatePool::detach(std::exchange(job.state, {})), {}, job.path}, {job.ids.begin(), read}};
  return rest;
}

}  // namespace xlstm::scheduler
