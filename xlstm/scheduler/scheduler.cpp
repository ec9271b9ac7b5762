#include "xlstm/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/scheduler/job.h"

namespace xlstm::scheduler {
namespace {

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

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

void check_beams(const Submission& submission) {
  generation::validate(submission.beams, submission.request);
  if (submission.best_of > 0) {
    fail(ErrorCode::invalid_argument, "best_of", "expected none with num_beams but got ", submission.best_of);
  }
  if (submission.num_samples > submission.beams.num_beams) {
    fail(ErrorCode::invalid_argument, "num_samples", "expected at most the ", submission.beams.num_beams,
         " beams but got ", submission.num_samples);
  }
}

void keep_best(std::vector<Sample>& samples, std::size_t count) {
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.score > b.score; });
  samples.resize(std::min(samples.size(), count));
}

}  // namespace

void Scheduler::check(const Submission& submission) const {
  generation::validate(submission.request, backend_.model());
  if (submission.request.resumable) {
    fail(ErrorCode::invalid_argument, "submit", "expected a request that is not resumable");
  }
  if (submission.request.prompt.empty() && !submission.start) {
    fail(ErrorCode::invalid_argument, "submit", "expected a prompt or a state to start from but got neither");
  }
  if (submission.prompt_logprobs < -1) {
    fail(ErrorCode::invalid_argument, "prompt_logprobs", "expected >= 0, or -1 for none, but got ",
         submission.prompt_logprobs);
  }
  require_positive(submission.num_samples, "num_samples");
  if (submission.best_of > 0 && submission.best_of < submission.num_samples) {
    fail(ErrorCode::invalid_argument, "best_of", "expected at least the ", submission.num_samples,
         " samples that are returned but got ", submission.best_of);
  }
  const std::size_t drawn = submission.num_tracks();
  if (drawn > options_.max_rows) {
    fail(ErrorCode::invalid_argument, "submit", "expected at most ", options_.max_rows,
         " samples or beams, as there are rows, but got ", drawn);
  }
  const std::size_t states = pool_.max_bytes() / pool_.state_bytes();
  if (drawn > states) {
    fail(ErrorCode::overloaded, "submit", "expected at most ", states,
         " samples, as memory has room for so many states, but got ", drawn);
  }
  if (submission.beams.num_beams > 0) check_beams(submission);
  for (const std::size_t length : submission.snapshots_at) {
    if (length > 0 && length <= submission.request.prompt.size()) continue;
    fail(ErrorCode::invalid_argument, "submit", "expected snapshots at 1 to ", submission.request.prompt.size(),
         " tokens of the prompt but got ", length);
  }
}

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

/// Where snapshots are asked for. A prompt that is cut elsewhere than at multiples of the segment has other bits: with
/// exact_reuse they stand at the last such multiple.
std::vector<std::size_t> Scheduler::boundaries(const Job& job) const {
  std::vector<std::size_t> positions;
  for (const std::size_t length : job.submission.snapshots_at) {
    const std::size_t at = job.start_tokens + length;
    positions.push_back(job.submission.exact_reuse ? at / segment() * segment() : at);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return positions;
}

/// Tokens of the prompt up to the next boundary, or to its end.
std::size_t Scheduler::piece_limit(const Job& job) const {
  const auto next = std::upper_bound(job.boundaries.begin(), job.boundaries.end(), job.position);
  return next == job.boundaries.end() ? job.prompt_left() : *next - job.position;
}

void Scheduler::prefill(Job& job, std::size_t tokens) {
  if (!job.state) job.state = pool_.make();
  const bool last = tokens == job.prompt_left();
  const std::span<float> logits(logits_.data(), last ? vocab_size() : 0);
  backend::State& state = pool_.writable(job.state);
  const std::span<const TokenId> piece = std::span(job.ids).subspan(job.position, tokens);
  job.scored() ? read_scored_piece(job, state, piece, logits) : read_piece(job, state, piece, logits);
  job.path = path_after(job.path, job.position + tokens, last, segment());
  note_read(job, tokens);
  if (last) {
    begin_decode(job, logits);
  } else if (caches(job)) {
    keep_piece(job);
  }
}

void Scheduler::note_read(Job& job, std::size_t tokens) {
  job.position += tokens;
  job.service += static_cast<double>(tokens);
  stats_.prefill_tokens += tokens;
  if (!job.submission.listener.on_prefill) return;
  job.submission.listener.on_prefill(job.position - job.start_tokens, job.outcome.prompt_tokens);
}

/// logits: [V] of the last id of the piece, or empty.
void Scheduler::read_piece(const Job& job, backend::State& state, std::span<const TokenId> piece,
                           std::span<float> logits) {
  // The backend cuts from where a piece begins. Off the grid that is up to its next multiple, however much else is to
  // be read in this step: load must not change where a prompt is cut.
  const std::size_t lead = (segment() - job.position % segment()) % segment();
  if (lead > 0 && lead < piece.size()) {
    const backend::PrefillRow row{piece.first(lead), &state, backend::Logits::none, {}};
    backend_.prefill(std::span(&row, 1));
    piece = piece.subspan(lead);
  }
  const backend::Logits wanted = logits.empty() ? backend::Logits::none : backend::Logits::last;
  const backend::PrefillRow row{piece, &state, wanted, logits};
  backend_.prefill(std::span(&row, 1));
}

/// A snapshot of a prompt that is not yet read to its end: where one is asked for, or a rung of the ladder.
void Scheduler::keep_piece(Job& job) {
  const auto beginning = [&](std::size_t length) { return std::span(job.ids).first(length); };
  cache_.insert(beginning(job.position), {job.state, {}, job.path});
  if (std::binary_search(job.boundaries.begin(), job.boundaries.end(), job.position)) return;
  for (const std::size_t gap : ladder_gaps(job.ladder, job.position, options_.prefill_step_size)) {
    cache_.erase(beginning(gap));
    std::erase(job.ladder, gap);
  }
  job.ladder.push_back(job.position);
}

/// The prompt is read: all samples draw their first token from `logits`.
void Scheduler::begin_decode(Job& job, std::span<const float> logits) {
  if (caches(job)) {
    // Logits of all positions are summed in another order than those of the last alone: not for others.
    const std::span<const float> kept = job.scored() ? std::span<const float>() : logits;
    cache_.insert(job.ids, {job.state, std::vector<float>(kept.begin(), kept.end()), job.path});
  }
  const double least_service = least_decode_service();
  job.decode_started = Clock::now();
  if (job.submission.beams.num_beams > 0) return begin_beams(job, logits, least_service);
  generation::Request request = job.submission.request;
  for (std::size_t i = 0; i < job.submission.num_tracks(); ++i) {
    request.sampling.seed = job.submission.request.sampling.seed + i;
    auto track = std::make_unique<Track>();
    track->number = i;
    track->sequence.emplace(tokenizer_, request);
    track->state = job.state;
    if (i > 0) ++stats_.state_forks;
    track->service = least_service;
    generation::Timings& timings = track->result.timings;
    timings.prompt_tokens = job.outcome.prompt_tokens - job.outcome.cached_tokens;
    timings.prefill_seconds = seconds_since(job.started);
    track->result.state_tokens = job.outcome.prompt_tokens;
    job.tracks.push_back(std::move(track));
  }
  job.state = {};
  for (const auto& track : job.tracks) {
    if (track->ended()) {
      track->result.text = track->sequence->take_echo();
    } else {
      take(job, *track, logits);
    }
  }
}

/// Draws the next token of a track from its logits.
void Scheduler::take(Job& job, Track& track, std::span<const float> logits) {
  if (job.beams) {
    track.candidates = job.beams->candidates(logits);
    return advance_beams(job);
  }
  generation::Token token = track.sequence->next(logits);
  generation::Result& result = track.result;
  track.pending = token.id;
  result.ids.push_back(token.id);
  result.text += token.text;
  if (job.submission.best_of > 0) {
    track.logprob += token.logprobs ? token.logprobs->logprob : sampling::log_probability(logits, token.id);
  }
  if (token.logprobs) result.logprobs.push_back(*token.logprobs);
  result.timings.generated_tokens = result.ids.size();
  note_time(job, track);
  if (job.submission.listener.on_token) job.submission.listener.on_token(track.number, token);
  if (track.sequence->ended() && caches(job)) keep_turn(job, track);
}

void Scheduler::note_time(const Job& job, Track& track) {
  const Clock::time_point now = Clock::now();
  const auto seconds = [now](Clock::time_point from) { return std::chrono::duration<double>(now - from).count(); };
  generation::Timings& timings = track.result.timings;
  if (track.result.ids.size() == 1) {
    track.first_token = now;
    timings.time_to_first_token_seconds = seconds(job.submitted);
    stats_.first_token_seconds.observe(timings.time_to_first_token_seconds);
  } else {
    timings.decode_seconds = seconds(track.first_token);
    stats_.inter_token_seconds.observe(seconds(track.last_token));
  }
  track.last_token = now;
  ++stats_.generated_tokens;
}

/// The end of a turn: the next one begins with all of this, and the state is there already.
void Scheduler::keep_turn(const Job& job, const Track& track) {
  std::vector<TokenId> ids = job.ids;
  const auto& generated = track.result.ids;
  if (generated.size() < 2) return;  // the end of the prompt is kept already
  ids.insert(ids.end(), generated.begin(), generated.end() - 1);
  cache_.insert(ids, {track.state, {}, Path::other});
}

/// Notes who has a row in this step; one who had it and goes on without it is preempted.
void Scheduler::give_rows(const std::vector<SequenceRef>& sequences, std::span<const std::size_t> chosen) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    Track* track = sequences[i].track;
    if (track == nullptr) continue;
    const bool has_row = std::binary_search(chosen.begin(), chosen.end(), i);
    if (track->has_row && !has_row) ++stats_.preemptions;
    if (has_row && (!track->has_row || track->slice_left == 0)) track->slice_left = options_.time_slice;
    track->has_row = has_row;
    if (!has_row) continue;
    --track->slice_left;
    track->service += 1;
  }
}

void Scheduler::decode(const std::vector<SequenceRef>& sequences, std::span<const std::size_t> chosen,
                       Progress& progress) {
  give_rows(sequences, chosen);
  std::vector<SequenceRef> refs;
  std::vector<backend::DecodeRow> rows;
  for (const std::size_t index : chosen) {
    const SequenceRef& ref = sequences[index];
    if (!pool_.has_room_to_write(ref.track->state)) {
      progress.blocked.push_back(ref.job);
      continue;
    }
    guard(*ref.job, [&] {
      Track& track = *ref.track;
      const std::span<float> logits(logits_.data() + rows.size() * vocab_size(), vocab_size());
      rows.push_back({track.pending.value(), &pool_.writable(track.state), logits});
      refs.push_back(ref);
    });
  }
  if (rows.empty()) return;
  progress.made = true;
  try {
    backend_.decode(rows);
  } catch (...) {  // of no single row, and their states are lost
    for (const SequenceRef& ref : refs) ref.job->fault = std::current_exception();
    return;
  }
  stats_.decode_tokens += rows.size();
  stats_.rows = rows.size();
  for (std::size_t i = 0; i < refs.size(); ++i) {
    ++refs[i].track->result.state_tokens;
    ++refs[i].job->turn;
    guard(*refs[i].job, [&] { take(*refs[i].job, *refs[i].track, rows[i].logits); });
  }
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
