// Prompts, read in pieces between the decode passes.
#include <algorithm>
#include <utility>

#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

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

}  // namespace xlstm::scheduler
