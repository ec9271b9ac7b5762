// Decode passes, and what is drawn from them.
#include <algorithm>
#include <utility>

#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

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

}  // namespace xlstm::scheduler
