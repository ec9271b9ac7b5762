#include "xlstm/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/scheduler/job.h"

namespace xlstm::scheduler {
namespace {

void require_positive(std::size_t value, const char* what) {
  if (value == 0) fail(ErrorCode::invalid_argument, "scheduler", "expected ", what, " >= 1 but got 0");
}

/// One line a request, as key=value: what an operator looks for by its id.
void log_end(const Job& job) {
  std::size_t generated = 0;
  for (const Sample& sample : job.outcome.samples) generated += sample.result.ids.size();
  const auto first = job.outcome.samples.empty()
                         ? std::string("none")
                         : std::to_string(job.outcome.samples[0].result.timings.time_to_first_token_seconds);
  log(LogLevel::info, "request=" + std::to_string(job.id) + " end=" +
                          (job.fault       ? "failed"
                           : job.cancelled ? "cancelled"
                           : job.drained   ? "drained"
                                           : "completed") +
                          " samples=" + std::to_string(job.submission.num_samples) +
                          " prompt_tokens=" + std::to_string(job.outcome.prompt_tokens) + " cached_tokens=" +
                          std::to_string(job.outcome.cached_tokens) + " generated_tokens=" + std::to_string(generated) +
                          " queue_seconds=" + std::to_string(job.outcome.queue_seconds) +
                          " first_token_seconds=" + first + " seconds=" + std::to_string(seconds_since(job.submitted)));
}

void keep_best(std::vector<Sample>& samples, std::size_t count) {
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.score > b.score; });
  samples.resize(std::min(samples.size(), count));
}

}  // namespace

Scheduler::Scheduler(backend::Backend& backend, const tokenizer::Tokenizer& tokenizer, const Options& options,
                     std::unique_ptr<SnapshotStore> store, std::vector<std::unique_ptr<PrefillWorker>> workers)
    : backend_(backend),
      tokenizer_(tokenizer),
      options_(options),
      store_(std::move(store)),
      workers_(std::move(workers)),
      cache_(
          options.max_cache_bytes, backend.model().state_spec.nbytes(backend.state_dtype()),
          [this](std::vector<TokenId> ids, Snapshot snapshot) { keep_evicted(std::move(ids), std::move(snapshot)); }),
      pool_(backend, options.max_state_bytes, [this] { return cache_.evict_one(); }),
      logits_(options.max_rows * static_cast<std::size_t>(backend.model().config.vocab_size)) {
  require_positive(options.max_rows, "max_rows");
  require_positive(options.prefill_step_size, "prefill_step_size");
  require_positive(options.time_slice, "time_slice");
  require_positive(options.swap_slice, "swap_slice");
}

Scheduler::~Scheduler() = default;

RequestId Scheduler::submit(Submission submission) {
  check(submission);
  const auto waiting = std::count_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return !job->admitted; });
  if (static_cast<std::size_t>(waiting) >= options_.max_waiting) {
    ++stats_.refused;
    fail(ErrorCode::overloaded, "submit", "expected at most ", options_.max_waiting, " waiting requests but there are ",
         waiting);
  }
  add(last_id_ + 1, std::move(submission));
  return last_id_;
}

void Scheduler::add(RequestId id, Submission submission) {
  auto job = std::make_unique<Job>();
  job->id = last_id_ = id;
  job->submission = std::move(submission);
  if (job->submission.start) job->ids = job->submission.start->ids;
  job->start_tokens = job->ids.size();
  const auto& prompt = job->submission.request.prompt;
  job->ids.insert(job->ids.end(), prompt.begin(), prompt.end());
  job->outcome.prompt_tokens = prompt.size();
  job->boundaries = boundaries(*job);
  job->order = next_order_++;
  jobs_.push_back(std::move(job));
  ++stats_.submitted;
}

bool Scheduler::cancel(RequestId id) {
  for (const auto& job : jobs_) {
    if (job->id != id || job->cancelled) continue;
    job->cancelled = true;
    return true;
  }
  return false;
}

bool Scheduler::step() {
  const bool reaped = reap();
  if (store_) swap_out();
  admit();
  Progress progress;
  land(progress);
  const auto [sequences, plan] = plan_next();
  for (const Piece& piece : plan.prefill) {
    Job& job = *sequences[piece.index].job;
    if (!(job.state ? pool_.has_room_to_write(job.state) : pool_.has_room())) {
      progress.blocked.push_back(&job);
      continue;
    }
    progress.made = true;
    guard(job, [&] { prefill(job, piece.tokens); });
  }
  stats_.rows = 0;
  decode(sequences, plan.decode, progress);
  if (progress.made) ++stats_.steps;
  const bool waits = !progress.made && wait_for_arrival();
  if (!progress.made && !waits && !progress.blocked.empty()) fail_one(progress.blocked);
  return reap() || progress.made || waits || reaped;
}

/// What `action` throws becomes the fault of the job.
void Scheduler::guard(Job& job, const std::function<void()>& action) {
  if (job.fault) return;
  try {
    action();
  } catch (...) {
    job.fault = std::current_exception();
  }
}

/// Ends whatever has nothing left to do.
bool Scheduler::reap() {
  const auto over = [](const Job& job) { return job.fault || job.cancelled || job.ended(); };
  std::vector<std::unique_ptr<Job>> ended;
  for (auto& job : jobs_) {
    if (over(*job)) ended.push_back(std::move(job));
  }
  std::erase(jobs_, nullptr);
  for (auto& job : ended) finish(*job);  // a listener may submit the next one
  return !ended.empty();
}

void Scheduler::finish(Job& job) {
  if (job.wanted) *job.wanted = false;
  if (job.beams) finish_beams(job);
  for (const auto& track : job.tracks) {
    if (!track->sequence) continue;
    if (!track->sequence->ended()) {
      const std::string held_back = track->sequence->end(generation::FinishReason::cancelled);
      if (!job.drained) track->result.text += held_back;  // else it comes out elsewhere
    }
    track->result.finish_reason = track->sequence->finish_reason();
    const double drawn = std::max<double>(1, static_cast<double>(track->result.ids.size()));
    job.outcome.samples.push_back(
        {std::move(track->result), std::move(track->state), track->number, track->logprob / drawn});
  }
  if (job.submission.best_of > 0 && !job.drained) keep_best(job.outcome.samples, job.submission.num_samples);
  job.outcome.error = job.fault;
  stats_.request_seconds.observe(seconds_since(job.submitted));
  ++(job.fault ? stats_.failed : job.cancelled ? stats_.cancelled : job.drained ? stats_.drained : stats_.completed);
  log_end(job);
  if (!job.submission.listener.on_end) return;
  try {
    job.submission.listener.on_end(std::move(job.outcome));
  } catch (const std::exception& error) {
    log(LogLevel::warning, "request " + std::to_string(job.id) + ": its listener failed at the end: " + error.what());
  } catch (...) {
    log(LogLevel::warning, "request " + std::to_string(job.id) + ": its listener failed at the end");
  }
}

void Scheduler::fail_all(std::exception_ptr error) {
  for (const auto& job : jobs_) {
    if (!job->fault) job->fault = error;
  }
  reap();
}

void Scheduler::cancel_all() {
  for (const auto& job : jobs_) job->cancelled = true;
  reap();
}

Scheduler::NextStep Scheduler::plan_next() const {
  NextStep next;
  std::vector<SequenceView> views;
  for (const auto& job : jobs_) {
    if (!job->admitted || job->fault) continue;
    const std::int64_t priority = job->submission.priority;
    if (job->prefilling() && !job->awaits_state()) {
      next.sequences.push_back({job.get(), nullptr});
      views.push_back({priority, job->id, job->service, job->position, piece_limit(*job)});
    }
    for (const auto& track : job->tracks) {
      if (!track->ready()) continue;
      next.sequences.push_back({job.get(), track.get()});
      views.push_back({priority, job->id, track->service, 0, 0, track->has_row, track->slice_left});
    }
  }
  next.plan = plan_step(views, {options_.max_rows, options_.prefill_step_size, segment()});
  return next;
}

std::size_t Scheduler::segment() const noexcept { return std::max<std::size_t>(backend_.prefill_segment(), 1); }

std::size_t Scheduler::vocab_size() const noexcept {
  return static_cast<std::size_t>(backend_.model().config.vocab_size);
}

Stats Scheduler::stats() const {
  Stats stats = stats_;
  for (const auto& job : jobs_) ++(job->admitted ? stats.running : stats.waiting);
  stats.cache_evictions = cache_.evictions();
  stats.cached_snapshots = cache_.size();
  stats.cache_bytes = cache_.bytes();
  stats.state_bytes = pool_.used_bytes();
  stats.max_state_bytes = pool_.max_bytes();
  stats.state_copies = pool_.copies();
  if (store_) stats.store = store_->stats();
  return stats;
}

}  // namespace xlstm::scheduler
