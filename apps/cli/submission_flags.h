// Flags of what a request gives beside its most likely reading: several texts, beams, log-probabilities, the prompt.
#pragma once

#include <CLI/CLI.hpp>

#include "apps/cli/flags.h"

namespace xlstm::cli {

/// As in scheduler::Submission.
struct SubmissionFlags {
  std::size_t num_samples = 1, best_of = 0;
  generation::BeamParams beams;
  std::int64_t logprobs = -1, prompt_logprobs = -1;
  bool echo = false;
};
/// After add_generation_flags: those of them that contradict beams are refused beside --num-beams.
void add_submission_flags(CLI::App& verb, SubmissionFlags& flags);
/// What can be wrong whatever the model. Errors: invalid_argument.
void check(const SubmissionFlags& flags, const GenerationFlags& generation);
/// A request without a prompt, and all that is wanted of it. Errors: those of make_request.
engine::Submission make_submission(const SubmissionFlags& flags, const GenerationFlags& generation,
                                   const engine::Engine& engine);

/// A beam search draws nothing: what the flags say about drawing by default is not for it. Logit bias stays.
void prepare_for_beams(sampling::SamplingParams& params);

}  // namespace xlstm::cli
