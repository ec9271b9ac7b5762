// Traffic with the tier below RAM: what is evicted, what comes back, who is swapped out and in.
#include <algorithm>
#include <chrono>
#include <utility>

#include "xlstm/base/log.h"
#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

template <class T>
bool is_ready(const std::future<T>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace

/// A state that is in use as well is not kept: its holder would have to copy it before he goes on.
void Scheduler::keep_evicted(std::vector<TokenId> ids, Snapshot snapshot) {
  if (!store_ || snapshot.state.shared()) return;
  store_->put(std::move(ids), pool_.release(std::move(snapshot.state)), std::move(snapshot.logits), snapshot.path);
}

void Scheduler::persist_cache() {
  if (!store_) return;
  while (cache_.evict_one()) store_->flush();
}

/// Makes requests give up their states for those who wait and are more entitled. Beams keep theirs, which they share.
void Scheduler::swap_out() {
  std::vector<Job*> waiting_jobs, running_jobs;
  const std::vector<WaitingView> waiting = waiting_views(waiting_jobs);
  if (waiting.empty()) return;
  std::vector<RunningView> running;
  for (const auto& job : jobs_) {
    const auto holds = [](const auto& track) { return track->ended() || track->state; };
    if (!job->admitted || job->tracks.empty() || job->beams || job->fault || job->cancelled) continue;
    if (!std::all_of(job->tracks.begin(), job->tracks.end(), holds)) continue;
    running.push_back({job->submission.priority, job->order, job->states_to_run(), job->turn});
    running_jobs.push_back(job.get());
  }
  // A turn is counted in tokens of all samples.
  for (const std::size_t i : plan_swap_out(waiting, running, free_rights(), options_.swap_slice)) {
    if (store_->can_swap_out(running[i].states)) swap_out(*running_jobs[i]);
  }
}

void Scheduler::swap_out(Job& job) {
  job.admitted = false;
  if (job.turn >= options_.swap_slice) job.order = next_order_++;  // its turn is over; else it is next among equals
  for (const auto& track : job.tracks) {
    if (track->ended()) continue;
    track->swapped = store_->swap_out(pool_.release(std::exchange(track->state, {})));
    track->has_row = false;
    track->slice_left = 0;
    ++stats_.swaps_out;
  }
}

void Scheduler::swap_in(Job& job) {
  for (const auto& track : job.tracks) {
    if (!track->ended()) track->arrival = track->swapped->read();
  }
}

/// Gives a place to what has come from elsewhere.
void Scheduler::land(Progress& progress) {
  for (const auto& job : jobs_) {
    if (job->fault || job->cancelled || !job->admitted) continue;
    bool blocked = false;
    guard(*job, [&] {
      blocked = !land(*job);
      for (const auto& track : job->tracks) blocked = !land(*job, *track) || blocked;
    });
    if (blocked) progress.blocked.push_back(job.get());
  }
}

/// False: there is no room for it.
bool Scheduler::land(Job& job) {
  if (job.arrival.valid() && is_ready(job.arrival) && !receive(job)) start(job);  // the next best
  if (!job.arrived) return true;
  job.state = {};
  if (!pool_.has_room()) return false;
  use_arrived(job, *std::exchange(job.arrived, std::nullopt));
  return true;
}

/// False: what came from the store cannot be read. A worker's fault is no fault of the prompt's: it is read here.
bool Scheduler::receive(Job& job) {
  if (!job.wanted) {
    job.arrived = job.arrival.get();
    return job.arrived.has_value();
  }
  try {
    job.arrived = job.arrival.get();
    if (job.arrived) return true;
    log(LogLevel::warning, "request " + std::to_string(job.id) + ": a prefill worker gave its prompt up");
  } catch (const std::exception& error) {
    log(LogLevel::warning, "request " + std::to_string(job.id) + ": a prefill worker failed: " + error.what());
  }
  ++stats_.worker_faults;
  job.wanted.reset();
  job.local = true;
  return true;
}

void Scheduler::use_arrived(Job& job, HostSnapshot arrived) {
  job.state = pool_.make();
  pool_.writable(job.state).from_host(arrived.slot);
  job.path = arrived.path;
  if (job.wanted) {
    job.wanted.reset();
    const std::size_t tokens = arrived.tokens - job.position;
    stats_.worker_tokens += tokens;
    note_read(job, tokens);
    if (job.prompt_left() > 0 && caches(job)) keep_piece(job);
  } else {
    job.position = job.outcome.cached_tokens = arrived.tokens;
    ++stats_.cache_hits;
    ++stats_.restores;
    stats_.cached_tokens += arrived.tokens;
    stats_.restored_tokens += arrived.tokens;
    cache_.insert(std::span(job.ids).first(arrived.tokens), {job.state, arrived.logits, job.path});
  }
  if (job.prompt_left() == 0) return begin_decode(job, arrived.logits);
  hand_over(job);
}

/// A long prompt goes to the worker with the least to do, up to where a snapshot is asked for. Workers score nothing.
void Scheduler::hand_over(Job& job) {
  const std::size_t tokens = piece_limit(job);
  if (workers_.empty() || job.local || job.scored() || tokens < options_.worker_tokens) return;
  const auto less = [](const auto& a, const auto& b) { return a->load() < b->load(); };
  PrefillWorker& worker = **std::min_element(workers_.begin(), workers_.end(), less);
  PrefillTask task;
  task.ids.assign(job.ids.begin(), job.ids.begin() + std::ptrdiff_t(job.position + tokens));
  task.last = tokens == job.prompt_left();
  task.start = {job.position, {}, {}, job.path};
  if (job.state) {
    task.start.slot.resize(static_cast<std::size_t>(backend_.model().state_spec.slot_size));
    job.state.read().to_host(task.start.slot);
  }
  job.wanted = std::make_shared<std::atomic<bool>>(true);
  job.arrival = worker.submit(std::move(task), job.wanted);
}

bool Scheduler::land(Job& job, Track& track) {
  if (!track.arrival.valid() || !is_ready(track.arrival)) return true;
  if (!pool_.has_room()) return false;
  const std::vector<float> slot = track.arrival.get();
  track.swapped.reset();
  track.service = std::max(track.service, least_decode_service());
  track.state = pool_.make();
  pool_.writable(track.state).from_host(slot);
  ++stats_.swaps_in;
  job.turn = 0;
  return true;
}

/// Where nothing else is to be done: waits a little for a state from elsewhere. False: none is on its way.
bool Scheduler::wait_for_arrival() {
  constexpr std::chrono::milliseconds kLittle{2};  // orders are taken between steps
  for (const auto& job : jobs_) {
    if (job->fault || job->cancelled) continue;
    if (job->arrival.valid()) {
      job->arrival.wait_for(kLittle);
      return true;
    }
    for (const auto& track : job->tracks) {
      if (!track->arrival.valid() || is_ready(track->arrival)) continue;
      track->arrival.wait_for(kLittle);
      return true;
    }
  }
  return false;
}

/// Nobody can go on, as states are held by nobody here: the least entitled ends, and what he holds is for the others.
void Scheduler::fail_one(const std::vector<Job*>& blocked) {
  const auto more_entitled = [](const Job* a, const Job* b) {
    return std::pair(-a->submission.priority, a->order) < std::pair(-b->submission.priority, b->order);
  };
  Job& last = **std::max_element(blocked.begin(), blocked.end(), more_entitled);
  guard(last, [&] { pool_.make(); });
}

}  // namespace xlstm::scheduler
