// Who gets a state, and what a request begins with.
#include <algorithm>
#include <utility>

#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

std::vector<WaitingView> Scheduler::waiting_views(std::vector<Job*>& jobs) const {
  std::vector<WaitingView> views;
  for (const auto& job : jobs_) {
    if (job->admitted || job->fault || job->cancelled) continue;
    views.push_back({job->submission.priority, job->order, job->states_to_run()});
    jobs.push_back(job.get());
  }
  return views;
}

/// States that nobody has a right to.
std::size_t Scheduler::free_rights() const {
  const std::size_t room = pool_.max_bytes() / pool_.state_bytes();
  std::size_t promised = 0;
  for (const auto& job : jobs_) promised += job->rights();
  return room - std::min(room, promised);
}

double Scheduler::least_prefill_service() const {
  std::optional<double> least;
  for (const auto& job : jobs_) {
    if (job->prefilling()) least = std::min(job->service, least.value_or(job->service));
  }
  return least.value_or(0);
}

double Scheduler::least_decode_service() const {
  std::optional<double> least;
  for (const auto& job : jobs_) {
    for (const auto& track : job->tracks) {
      if (track->ready()) least = std::min(track->service, least.value_or(track->service));
    }
  }
  return least.value_or(0);
}

/// Gives states, or the right to them, to those who wait.
void Scheduler::admit() {
  std::vector<Job*> jobs;
  const std::vector<WaitingView> waiting = waiting_views(jobs);
  const double least_service = least_prefill_service();
  for (const std::size_t i : plan_admission(waiting, free_rights())) {
    Job& job = *jobs[i];
    job.admitted = true;
    job.turn = 0;
    if (!job.tracks.empty()) {
      swap_in(job);
      continue;
    }
    job.service = least_service;
    job.started = Clock::now();
    job.outcome.queue_seconds = std::chrono::duration<double>(job.started - job.submitted).count();
    stats_.queue_seconds.observe(job.outcome.queue_seconds);
    if (reads_cache(job)) ++stats_.cache_queries;
    guard(job, [&] { start(job); });
  }
}

/// From the given start, the longest known beginning of the prompt, or nothing.
void Scheduler::start(Job& job) {
  if (job.scored()) score_first(job);
  if (job.submission.start) {
    ++stats_.state_forks;
    job.state = job.submission.start->snapshot.state;
    job.path = job.submission.start->snapshot.path;
    job.position = job.start_tokens;
    if (job.prompt_left() == 0) return begin_decode(job, job.submission.request.logits);
    return hand_over(job);
  }
  if (!reads_cache(job)) return hand_over(job);
  PrefixCache::Hit hit = cache_.find(job.ids, job.submission.exact_reuse);
  if (store_) job.arrival = store_->find(job.ids, hit.tokens, job.submission.exact_reuse);
  if (job.arrival.valid()) return;
  if (hit.tokens == 0) return hand_over(job);
  ++stats_.cache_hits;
  stats_.cached_tokens += hit.tokens;
  job.state = std::move(hit.snapshot.state);
  job.path = hit.snapshot.path;
  job.position = job.outcome.cached_tokens = hit.tokens;
  if (job.prompt_left() == 0) return begin_decode(job, hit.snapshot.logits);
  hand_over(job);
}

bool Scheduler::caches(const Job& job) const { return job.submission.use_cache && !job.submission.start; }

/// A scored prompt is read from its first id on.
bool Scheduler::reads_cache(const Job& job) const { return caches(job) && !job.scored(); }

}  // namespace xlstm::scheduler
