// Log-probabilities of a prompt's own ids, while it is read.
#include <algorithm>
#include <vector>

#include "xlstm/scheduler/job.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {

/// What comes before the first id of the prompt is known only from the logits of a start.
void Scheduler::score_first(Job& job) {
  const std::vector<TokenId>& prompt = job.submission.request.prompt;
  if (prompt.empty()) return;
  auto& first = job.outcome.prompt_logprobs.emplace_back();
  if (!job.submission.start || job.submission.start->snapshot.logits.empty()) return;
  first = generation::token_log_probs(job.submission.start->snapshot.logits, prompt.front(),
                                      static_cast<std::size_t>(job.submission.prompt_logprobs));
}

/// As read_piece, a segment at a time, so that no more logits than those of one are held.
void Scheduler::read_scored_piece(Job& job, backend::State& state, std::span<const TokenId> piece,
                                  std::span<float> logits) {
  const std::size_t vocab = vocab_size();
  std::vector<float> all;
  for (std::size_t done = 0; done < piece.size();) {
    const std::size_t position = job.position + done;
    const std::size_t count = std::min(segment() - position % segment(), piece.size() - done);
    all.resize(count * vocab);
    const backend::PrefillRow row{piece.subspan(done, count), &state, backend::Logits::all, all};
    backend_.prefill(std::span(&row, 1));
    for (std::size_t t = 0; t < count; ++t) {
      const std::size_t next = position + t + 1;
      if (next == job.ids.size()) break;
      job.outcome.prompt_logprobs.emplace_back(
          generation::token_log_probs(std::span(all).subspan(t * vocab, vocab), job.ids[next],
                                      static_cast<std::size_t>(job.submission.prompt_logprobs)));
    }
    done += count;
  }
  std::copy_n(all.end() - static_cast<std::ptrdiff_t>(logits.size()), logits.size(), logits.begin());
}

}  // namespace xlstm::scheduler
