// xlstm generate: a prompt in, text out.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/messages.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/prompt.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/state_files.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/engine/draft.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

using generation::FinishReason;
using generation::Result;

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  PromptFlags prompt;
  MessagesFlags messages;
  std::string state, save_state;  // files; empty: none
  CompressFlags compress;
  std::string draft;  // "ngram" or a directory; empty: none
  std::size_t draft_tokens = generation::Speculation{}.tokens;
  const CLI::Option* seed = nullptr;
  bool ids = false;
  bool json = false;
};

constexpr const char* kNoPrompt = "none; try: xlstm generate --prompt \"In the beginning God\"";

nlohmann::ordered_json to_json(const Result& result, std::uint64_t seed, std::size_t cached_tokens) {
  const generation::Timings& timings = result.timings;
  nlohmann::ordered_json json = {{"text", result.text},
                                 {"ids", result.ids},
                                 {"cached_tokens", cached_tokens},
                                 {"prompt_tokens", timings.prompt_tokens},
                                 {"finish_reason", generation::finish_reason_name(result.finish_reason)},
                                 {"seed", seed},
                                 {"timings",
                                  {{"prefill_seconds", timings.prefill_seconds},
                                   {"decode_seconds", timings.decode_seconds},
                                   {"time_to_first_token_seconds", timings.time_to_first_token_seconds},
                                   {"generated_tokens", timings.generated_tokens},
                                   {"prefill_tokens_per_second", timings.prefill_tokens_per_second()},
                                   {"decode_tokens_per_second", timings.decode_tokens_per_second()},
                                   {"peak_rss_bytes", engine::peak_rss_bytes()}}}};
  if (const generation::SpeculationCounts& counts = result.speculation; counts.passes > 0) {
    json["draft"] = {{"drafted_tokens", counts.drafted},
                     {"accepted_tokens", counts.accepted},
                     {"passes", counts.passes},
                     {"tokens_per_pass", counts.steps_per_pass()}};
  }
  return json;
}

void print_summary(const Result& result) {
  const generation::Timings& timings = result.timings;
  say(fmt::format("prompt {} tokens, {} | generated {} tokens, {} | first token after {:.3f} s | peak memory {}{}\n",
                  timings.prompt_tokens, human_rate(timings.prefill_tokens_per_second()), timings.generated_tokens,
                  human_rate(timings.decode_tokens_per_second()), timings.time_to_first_token_seconds,
                  human_bytes(engine::peak_rss_bytes()),
                  result.finish_reason == FinishReason::cancelled ? " | stopped by Ctrl-C" : ""));
  if (const generation::SpeculationCounts& counts = result.speculation; counts.passes > 0) {
    say(fmt::format("draft: {} of {} guesses right, {:.2f} tokens a pass\n", counts.accepted, counts.drafted,
                    counts.steps_per_pass()));
  }
}

/// Streams text or ids while they are made, nothing with --json.
generation::Callbacks make_callbacks(const Options& options, ProgressBar& bar, const InterruptScope& interrupt) {
  generation::Callbacks callbacks;
  callbacks.cancel = interrupt.flag();
  callbacks.on_prefill = [&bar](std::size_t done, std::size_t total) {
    bar.update(static_cast<double>(done) / static_cast<double>(total));
  };
  if (options.json) return callbacks;
  if (options.ids) {
    callbacks.on_token = [first = true](TokenId id) mutable {
      print((first ? "" : ",") + std::to_string(id));
      flush_output();
      first = false;
    };
  } else {
    callbacks.on_text = [](std::string_view text) {
      print(text);
      flush_output();
    };
  }
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

int run(const Options& options) {
  check(options.generation);
  std::optional<Prompt> prompt;
  const bool begun = !options.state.empty() || options.messages.given();
  if (!begun || options.prompt.count() > 0) prompt = read_prompt(options.prompt, "generate", kNoPrompt);
  if (!options.save_state.empty()) check_can_write(options.save_state);
  const auto engine =
      options.state.empty() ? load_engine(options.model) : load_engine_for(options.state, options.model);
  generation::Request request = make_request(options.generation, *engine);
  engine::Session session = options.state.empty() ? engine->new_session() : engine->restore(options.state);
  const std::size_t cached_tokens = session.ids().size();
  begin(request, options, *engine, session, prompt);
  request.resumable = !options.save_state.empty();
  const auto draft =
      options.draft.empty() ? nullptr : engine::make_draft(options.draft, *engine, load_options(options.model));

  const InterruptScope interrupt;
  log(LogLevel::info, fmt::format("reading {} tokens; Ctrl-C stops", request.prompt.size()));
  ProgressBar bar("reading the prompt", 1.0);
  const Result result =
      engine->generate(session, request, make_callbacks(options, bar, interrupt), {draft.get(), options.draft_tokens});
  bar.clear();
  if (request.resumable && !session.logits().empty()) {
    engine->save(session, options.save_state, options.compress.options());
  }

  if (options.json) {
    print(to_json(result, request.sampling.seed, cached_tokens).dump() + "\n");
  } else if (options.ids ? !result.ids.empty() : !result.text.empty() && result.text.back() != '\n') {
    print("\n");
  }
  flush_output();
  if (!options.json) print_summary(result);
  return result.finish_reason == FinishReason::cancelled ? kExitCancelled : 0;
}

void add_draft_flags(CLI::App& verb, Options& options) {
  CLI::Option* draft = verb.add_option("--draft", options.draft,
                                       "Guess tokens ahead, from the text or by a smaller model of the same tokenizer; "
                                       "changes the speed and nothing else")
                           ->type_name("ngram|DIR")
                           ->check(not_empty("ngram or a directory"))
                           ->group("Drafts");
  verb.add_option("--draft-tokens", options.draft_tokens, "Guesses at a time, at most")
      ->type_name("N")
      ->transform(integer_between(1, generation::kMostDraftTokens))
      ->needs(draft)
      ->group("Drafts")
      ->capture_default_str();
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
  verb.add_flag("--ids", options->ids, "Print token ids instead of text")->group("Output");
  verb.add_flag("--json", options->json, "Print one JSON object at the end instead of a stream")->group("Output");
  CLI::Option* save =
      verb.add_option("--save-state", options->save_state, "Also write the state after the last token, for --state")
          ->type_name("FILE")
          ->check(not_empty("a name"))
          ->group("Output");
  add_compress_flags(verb, options->compress, save);
  add_generation_flags(verb, options->generation);
  add_draft_flags(verb, *options);
  options->seed = verb.get_option("--seed");
  add_model_flags(verb, options->model);
  add_chat_template_flag(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm generate --prompt \"HAMLET.\" --max-tokens 200 --seed 7\n"
      "  xlstm generate --model DIR --prompt-file - --temperature 0 < question.txt\n"
      "  xlstm generate --prompt \"Once\" --stop \".\" --stop \"!\" --json\n"
      "  xlstm generate --prompt-file f --draft ngram --draft-tokens 8\n"
      "  xlstm generate --prompt \"The cast: \" --json-schema cast.schema.json --max-tokens -1\n"
      "  xlstm generate --model DIR --messages talk.json\n"
      "  xlstm generate --prompt \"Once\" --save-state once.xst && xlstm generate --state once.xst");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
