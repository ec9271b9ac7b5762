// xlstm generate: a prompt in, text out.
#include <algorithm>
#include <memory>
#include <optional>

#include "apps/cli/draft_flags.h"
#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/generate_output.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/messages.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/prompt.h"
#include "apps/cli/run_submission.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/state_files.h"
#include "apps/cli/submission_flags.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/request_meter.h"
#include "xlstm/engine/rest_file.h"

namespace xlstm::cli {
namespace {

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  SubmissionFlags submission;
  PromptFlags prompt;
  MessagesFlags messages;
  std::string state, save_state;  // files; empty: none
  CompressFlags compress;
  DraftFlags draft;
  std::string stats_socket;  // empty: none
  const CLI::Option *seed = nullptr, *samples = nullptr;
  bool ids = false;
  bool json = false;
};

constexpr const char* kNoPrompt = "none; try: xlstm generate --prompt \"In the beginning God\"";

/// Streams text or ids while they are made, nothing with --json.
generation::Callbacks make_callbacks(const Options& options, ProgressBar& bar, OutputStream& output,
                                     const InterruptScope& interrupt) {
  generation::Callbacks callbacks;
  callbacks.cancel = interrupt.flag();
  callbacks.on_prefill = [&bar](std::size_t done, std::size_t total) {
    bar.update(static_cast<double>(done) / static_cast<double>(total));
  };
  if (options.json) return callbacks;
  callbacks.on_token = [&output](TokenId id) { output.on_token(id); };
  callbacks.on_text = [&output](std::string_view text) { output.on_text(text); };
  callbacks.keep_output = !options.save_state.empty();  // for the ids; else a text without an end takes no memory
  return callbacks;
}

/// Ids of the rendered messages, but for those that the state has read.
std::vector<TokenId> unread_messages(const MessagesFlags& flags, const engine::Engine& engine,
                                     const engine::Session& session) {
  std::vector<TokenId> ids = engine.encode(render_messages(engine, flags, /*add_generation_prompt=*/true), true);
  const std::vector<TokenId>& read = session.ids();
  const auto [next, unlike] = std::mismatch(ids.begin(), ids.end(), read.begin(), read.end());
  if (unlike != read.end()) {
    fail(ErrorCode::invalid_argument, "--messages", "expected messages that begin with the ", read.size(),
         " tokens of the state but the one at ", unlike - read.begin(), " is another");
  }
  ids.erase(ids.begin(), next);
  return ids;
}

/// With a prompt a request of its own, else one that goes on where the state was left: with another seed only if one is
/// given, or if the state ends where an answer to the messages begins.
void begin(generation::Request& request, const Options& options, const engine::Engine& engine,
           const engine::Session& session, const std::optional<Prompt>& prompt) {
  if (prompt) {
    request.prompt = prompt->encode(engine, /*with_bos=*/session.ids().empty());
    return;
  }
  if (options.messages.given()) request.prompt = unread_messages(options.messages, engine, session);
  if (!request.prompt.empty()) return;
  const std::uint64_t seed = request.sampling.seed;
  session.resume(request);
  const bool own_seed = options.seed->count() > 0 && seed != request.sampling.seed;
  if (!own_seed && !options.messages.given()) return;
  request.sampling.seed = seed;
  request.drawn = 0;
}

/// What is asked for, where it begins, and how much of it was read before.
struct Begun {
  engine::Submission submission;
  engine::Session session;
};

/// On the engine's thread.
Begun begin(const Options& options, engine::Engine& engine, const std::optional<Prompt>& prompt) {
  Begun begun{make_submission(options.submission, options.generation, engine),
              options.state.empty() ? engine.new_session() : engine.restore(options.state)};
  begin(begun.submission.request, options, engine, begun.session, prompt);
  if (options.submission.beams.num_beams > 0) prepare_for_beams(begun.submission.request.sampling);
  return begun;
}

std::unique_ptr<engine::Engine> load(const Options& options) {
  return options.state.empty() ? load_engine(options.model) : load_engine_for(options.state, options.model);
}

/// One text, streamed.
Answer run_plain(const Options& options, const std::optional<Prompt>& prompt, engine::Engine& engine) {
  Begun begun = begin(options, engine, prompt);
  generation::Request& request = begun.submission.request;
  Answer answer{request.prompt, begun.session.ids().size(), false, request.sampling.seed, {}};
  request.resumable = !options.save_state.empty();
  const auto draft = make_draft(options.draft, engine, options.model);
  engine::RequestMeter meter;
  meter.note_states(engine.state_nbytes(), engine.state_nbytes());
  const auto stats = open_stats_socket(options.stats_socket, [&] { return meter.stats(); });
  const InterruptScope interrupt;
  announce_reading(request);
  ProgressBar bar("reading the prompt", 1.0);
  OutputStream output(options.ids);
  scheduler::Sample sample;
  const auto run = [&](const generation::Callbacks& callbacks) {
    const generation::Speculation speculation{draft.get(), options.draft.tokens};
    return callbacks.keep_output ? engine.generate(begun.session, request, callbacks, speculation)
                                 : engine.generate(std::move(begun.session), request, callbacks, speculation);
  };
  sample.result = meter.measure(make_callbacks(options, bar, output, interrupt), run);
  bar.clear();
  if (request.resumable && !begun.session.logits().empty()) {
    engine.save(begun.session, options.save_state, options.compress.options());
  }
  output.end();
  answer.outcome.samples.push_back(std::move(sample));
  return answer;
}

engine::ServiceOptions service_for(const Options& options) {
  engine::ServiceOptions made;
  const std::size_t most = std::max(options.submission.num_samples, options.submission.best_of);
  made.scheduler.max_rows = std::max({made.scheduler.max_rows, most, options.submission.beams.num_beams});
  made.prefix_cache = false;  // there is one prompt
  return made;
}

/// Several texts, beams or scores: what takes a scheduler.
Answer run_scheduled(const Options& options, const std::optional<Prompt>& prompt, engine::Service& service) {
  const auto stats = open_stats_socket(options.stats_socket, [&] { return service.stats(); });
  const SubmissionFlags& flags = options.submission;
  Answer answer;
  answer.scored = flags.best_of > 0 || flags.beams.num_beams > 0;
  engine::Submission submission;
  const auto prepare = [&](engine::Engine& engine, scheduler::Scheduler&) {
    Begun begun = begin(options, engine, prompt);
    answer.cached_tokens = begun.session.ids().size();
    submission = std::move(begun.submission);
    if (!options.state.empty()) engine::begin_at(engine, begun.session, submission);
  };
  service.call(prepare).get();
  answer.prompt = submission.request.prompt;
  if (flags.beams.num_beams == 0) answer.seed = submission.request.sampling.seed;
  answer.outcome = run_submission(service, std::move(submission));
  if (!options.json) print_texts(answer, options.ids);
  return answer;
}

bool takes_a_scheduler(const SubmissionFlags& flags) {
  return flags.num_samples > 1 || flags.best_of > 0 || flags.beams.num_beams > 0 || flags.prompt_logprobs >= 0;
}

/// Errors: invalid_argument.
void check(const Options& options, bool has_prompt) {
  check(options.generation);
  check(options.submission, options.generation);
  const auto needs_prompt = [&](bool given, const char* flag) {
    if (given && !has_prompt) fail(ErrorCode::invalid_argument, flag, "expected a prompt beside it but got none");
  };
  needs_prompt(options.submission.echo, "--echo");
  needs_prompt(options.submission.prompt_logprobs >= 0, "--prompt-logprobs");
}

int finish(const Options& options, const Answer& answer, const engine::Engine& engine) {
  const bool list = options.samples->count() > 0;
  options.json ? print_json(answer, list, engine.tokenizer()) : print_summary(answer);
  return was_cancelled(answer) ? kExitCancelled : 0;
}

int run(const Options& options) {
  const bool has_prompt = options.prompt.count() > 0 || options.messages.given();
  std::optional<Prompt> prompt;
  const bool begun = !options.state.empty() || options.messages.given();
  if (!begun || options.prompt.count() > 0) prompt = read_prompt(options.prompt, "generate", kNoPrompt);
  check(options, has_prompt);
  if (!options.save_state.empty()) check_can_write(options.save_state);
  if (takes_a_scheduler(options.submission)) {
    const auto service = engine::Service::start([&] { return load(options); }, service_for(options));
    return finish(options, run_scheduled(options, prompt, *service), service->engine());
  }
  const auto engine = load(options);
  return finish(options, run_plain(options, prompt, *engine), *engine);
}

/// One text of the plain loop is what they are for.
void exclude_several_texts(CLI::App& verb, CLI::Option* flag) {
  for (const char* other : {"--samples", "--best-of", "--num-beams", "--prompt-logprobs"}) {
    flag->excludes(verb.get_option(other));
  }
}

}  // namespace

void add_generate(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("generate", "Continue a prompt");
  add_prompt_flags(verb, options->prompt);
  add_messages_flags(verb, options->messages);
  for (const char* other : {"--prompt", "--prompt-file", "--prompt-ids"}) {
    verb.get_option("--messages")->excludes(verb.get_option(other));
  }
  verb.add_option("--state", options->state,
                  "Begin with a saved state; without a prompt go on from its last token as if never stopped")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Prompt");
  CLI::Option* ids = verb.add_flag("--ids", options->ids, "Print token ids instead of text")->group("Output");
  CLI::Option* json =
      verb.add_flag("--json", options->json,
                    "Print one JSON object at the end instead of a stream; with --samples a list of them")
          ->group("Output");
  CLI::Option* save =
      verb.add_option("--save-state", options->save_state, "Also write the state after the last token, for --state")
          ->type_name("FILE")
          ->check(not_empty("a name"))
          ->group("Output");
  add_compress_flags(verb, options->compress, save);
  add_generation_flags(verb, options->generation);
  add_submission_flags(verb, options->submission);
  verb.get_option("--echo")->excludes(ids);
  for (const char* name : {"--logprobs", "--prompt-logprobs"}) verb.get_option(name)->needs(json);
  exclude_several_texts(verb, save);
  exclude_several_texts(verb, add_draft_flags(verb, options->draft));
  add_stats_flag(verb, options->stats_socket);
  options->seed = verb.get_option("--seed");
  options->samples = verb.get_option("--samples");
  add_model_flags(verb, options->model);
  add_chat_template_flag(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm generate --prompt \"HAMLET.\" --max-tokens 200 --seed 7\n"
      "  xlstm generate --model DIR --prompt-file - --temperature 0 < question.txt\n"
      "  xlstm generate --prompt \"Once\" --stop \".\" --stop \"!\" --json\n"
      "  xlstm generate --prompt \"Once\" --samples 3 --best-of 8\n"
      "  xlstm generate --prompt \"Once\" --num-beams 4 --max-tokens 20\n"
      "  xlstm generate --prompt \"To be, or not to be\" --prompt-logprobs 3 --max-tokens 0 --json\n"
      "  xlstm generate --prompt-file f --draft ngram --draft-tokens 8\n"
      "  xlstm generate --prompt \"The cast: \" --json-schema cast.schema.json --max-tokens -1\n"
      "  xlstm generate --model DIR --messages talk.json\n"
      "  xlstm generate --prompt \"Once\" --save-state once.xst && xlstm generate --state once.xst");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
