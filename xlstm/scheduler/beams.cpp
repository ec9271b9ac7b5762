// A beam search among the other requests: its beams are rows like theirs, and wait for one another.
#include <set>
#include <utility>

#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

void Scheduler::begin_beams(Job& job, std::span<const float> logits, double service) {
  job.beams.emplace(tokenizer_, job.submission.request, job.submission.beams);
  auto root = std::make_unique<Track>();
  root->state = std::exchange(job.state, {});
  root->service = service;
  root->candidates = job.beams->candidates(logits);
  job.tracks.push_back(std::move(root));
  advance_beams(job);
}

/// When all beams were decoded: the next ones share the states of those that they grow from, until they write.
void Scheduler::advance_beams(Job& job) {
  std::vector<generation::BeamCandidates> candidates;
  for (const auto& track : job.tracks) {
    if (!track->candidates) return;
  }
  for (const auto& track : job.tracks) candidates.push_back(std::move(*track->candidates));
  std::vector<std::unique_ptr<Track>> next;
  std::set<std::size_t> parents;
  for (const auto& [parent, id] : job.beams->advance(candidates)) {
    const Track& from = *job.tracks[parent];
    auto track = std::make_unique<Track>();
    track->number = next.size();
    track->state = from.state;
    track->pending = id;
    track->service = from.service;
    track->has_row = from.has_row;
    track->slice_left = from.slice_left;
    if (!parents.insert(parent).second) ++stats_.state_forks;
    next.push_back(std::move(track));
  }
  stats_.generated_tokens += next.size();
  job.tracks = std::move(next);
}

void Scheduler::finish_beams(Job& job) {
  const auto seconds = [](Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  };
  for (generation::Hypothesis& found : job.beams->hypotheses(job.submission.num_samples)) {
    generation::Result& result = found.result;
    generation::Timings& timings = result.timings;
    timings.prompt_tokens = job.outcome.prompt_tokens - job.outcome.cached_tokens;
    timings.generated_tokens = result.ids.size();
    timings.prefill_seconds = seconds(job.started, job.decode_started);
    timings.time_to_first_token_seconds = seconds(job.submitted, job.decode_started);
    timings.decode_seconds = seconds(job.decode_started, Clock::now());
    result.state_tokens = job.outcome.prompt_tokens;
    job.outcome.samples.push_back({std::move(result), {}, job.outcome.samples.size(), found.score});
  }
}

}  // namespace xlstm::scheduler
