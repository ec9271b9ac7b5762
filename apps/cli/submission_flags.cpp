#include "apps/cli/submission_flags.h"

#include <map>
#include <utility>

#include "apps/cli/numbers.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using generation::EarlyStopping;

constexpr std::int64_t kMostSamples = 1024;  // as --max-rows
constexpr std::int64_t kMostLogProbs = 1 << 20;

const std::map<std::string, EarlyStopping> kEarlyStopping = {
    {"no", EarlyStopping::no}, {"yes", EarlyStopping::yes}, {"never", EarlyStopping::never}};

void add_beam_flags(CLI::App& verb, generation::BeamParams& beams) {
  CLI::Option* num_beams = verb.add_option("--num-beams", beams.num_beams,
                                           "Search with so many beams for the most probable text; no drawing")
                               ->type_name("N")
                               ->transform(integer_between(1, kMostSamples))
                               ->group("Samples");
  verb.add_option("--length-penalty", beams.length_penalty,
                  "A beam's score is the sum of its log-probabilities / its tokens ^ X: above 0 favours long texts")
      ->type_name("X")
      ->transform(number_in({}))
      ->needs(num_beams)
      ->group("Samples")
      ->capture_default_str();
  verb.add_option_function<std::string>(
          "--early-stopping", [&beams](const std::string& word) { beams.early_stopping = kEarlyStopping.at(word); },
          "With as many texts ended as beams: go on while a better one is likely, stop at once, or only when none can "
          "be")
      ->type_name("no|yes|never")
      ->check(one_of({"no", "yes", "never"}))
      ->needs(num_beams)
      ->group("Samples")
      ->default_str("no");
  for (const char* other :
       {"--best-of", "--temperature", "--top-k", "--top-p", "--min-p", "--repetition-penalty", "--frequency-penalty",
        "--presence-penalty", "--penalty-window", "--grammar", "--regex", "--json-schema", "--json-object"}) {
    num_beams->excludes(verb.get_option(other));
  }
}

}  // namespace

void add_submission_flags(CLI::App& verb, SubmissionFlags& flags) {
  verb.add_option("--samples", flags.num_samples, "So many texts of one prompt, text i drawn with the seed + i")
      ->type_name("N")
      ->transform(integer_between(1, kMostSamples))
      ->group("Samples")
      ->capture_default_str();
  verb.add_option("--best-of", flags.best_of,
                  "Draw so many and keep the --samples with the largest mean log-probability of a token")
      ->type_name("N")
      ->transform(integer_between(1, kMostSamples))
      ->group("Samples");
  add_beam_flags(verb, flags.beams);
  verb.add_option("--logprobs", flags.logprobs,
                  "The log-probability of every token, and the N most probable in its place")
      ->type_name("N")
      ->transform(integer_between(0, kMostLogProbs))
      ->group("Output");
  verb.add_option("--prompt-logprobs", flags.prompt_logprobs, "The same of the prompt's own tokens")
      ->type_name("N")
      ->transform(integer_between(0, kMostLogProbs))
      ->group("Output");
  verb.add_flag("--echo", flags.echo, "The text begins with that of the prompt")->group("Output");
}

void check(const SubmissionFlags& flags, const GenerationFlags& generation) {
  const auto at_least_samples = [&](const char* flag, std::size_t value) {
    if (value == 0 || value >= flags.num_samples) return;
    fail(ErrorCode::invalid_argument, flag, "expected at least the ", flags.num_samples, " of --samples but got ",
         value);
  };
  at_least_samples("--best-of", flags.best_of);
  at_least_samples("--num-beams", flags.beams.num_beams);
  if (flags.beams.num_beams > 0 && generation.max_tokens < 1) {
    fail(ErrorCode::invalid_argument, "--max-tokens", "expected at least 1 with --num-beams but got ",
         generation.max_tokens);
  }
}

engine::Submission make_submission(const SubmissionFlags& flags, const GenerationFlags& generation,
                                   const engine::Engine& engine) {
  engine::Submission submission;
  submission.request = make_request(generation, engine);
  submission.request.logprobs = flags.logprobs;
  submission.request.echo = flags.echo;
  submission.num_samples = flags.num_samples;
  submission.best_of = flags.best_of;
  submission.beams = flags.beams;
  submission.prompt_logprobs = flags.prompt_logprobs;
  return submission;
}

void prepare_for_beams(sampling::SamplingParams& params) {
  auto bias = std::move(params.logit_bias);
  params = {};
  params.temperature = 0;
  params.logit_bias = std::move(bias);
}

}  // namespace xlstm::cli
