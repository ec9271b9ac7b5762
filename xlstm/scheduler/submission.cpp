// What is refused before it waits.
#include "xlstm/scheduler/submission.h"

#include "xlstm/base/error.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

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
  if (submission.num_samples == 0) {
    fail(ErrorCode::invalid_argument, "num_samples", "expected at least 1 but got 0");
  }
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

}  // namespace xlstm::scheduler
