// xlstm generate: a prompt in, text out.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/log.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

using generation::FinishReason;
using generation::Result;

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  std::optional<std::string> prompt, prompt_file, prompt_ids;
  bool ids = false;
  bool json = false;
};

void check_prompt(const Options& options) {
  const int given = options.prompt.has_value() + options.prompt_file.has_value() + options.prompt_ids.has_value();
  if (given == 1) return;
  fail(ErrorCode::invalid_argument, "generate",
       "expected one of --prompt TEXT, --prompt-file FILE and --prompt-ids IDS but got ",
       given == 0 ? "none; try: xlstm generate --prompt \"In the beginning God\"" : "several");
}

/// Either ids as they were given, or text, which the model's own rules turn into ids.
struct Prompt {
  std::vector<TokenId> ids;
  std::string text;
};

Prompt read_prompt(const Options& options) {
  if (options.prompt_ids) return {parse_token_ids(*options.prompt_ids, "--prompt-ids"), ""};
  return {{}, options.prompt ? *options.prompt : read_text(*options.prompt_file)};
}

nlohmann::ordered_json to_json(const Result& result, std::uint64_t seed) {
  const generation::Timings& timings = result.timings;
  return {{"text", result.text},
          {"ids", result.ids},
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
}

void print_summary(const Result& result) {
  const generation::Timings& timings = result.timings;
  say(fmt::format("prompt {} tokens, {} | generated {} tokens, {} | first token after {:.3f} s | peak memory {}{}\n",
                  timings.prompt_tokens, human_rate(timings.prefill_tokens_per_second()), timings.generated_tokens,
                  human_rate(timings.decode_tokens_per_second()), timings.time_to_first_token_seconds,
                  human_bytes(engine::peak_rss_bytes()),
                  result.finish_reason == FinishReason::cancelled ? " | stopped by Ctrl-C" : ""));
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

int run(const Options& options) {
  check_prompt(options);
  check(options.generation);
  const Prompt prompt = read_prompt(options);
  const auto engine = load_engine(options.model);
  generation::Request request = make_request(options.generation, *engine);
  request.prompt = prompt.ids.empty() ? engine->encode(prompt.text, /*with_bos=*/true) : prompt.ids;

  engine::Session session = engine->new_session();
  const InterruptScope interrupt;
  log(LogLevel::info, fmt::format("reading {} tokens; Ctrl-C stops", request.prompt.size()));
  ProgressBar bar("reading the prompt", 1.0);
  const Result result = engine->generate(session, request, make_callbacks(options, bar, interrupt));
  bar.clear();

  if (options.json) {
    print(to_json(result, request.sampling.seed).dump() + "\n");
  } else if (options.ids ? !result.ids.empty() : !result.text.empty() && result.text.back() != '\n') {
    print("\n");
  }
  flush_output();
  if (!options.json) print_summary(result);
  return result.finish_reason == FinishReason::cancelled ? kExitCancelled : 0;
}

}  // namespace

void add_generate(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("generate", "Continue a prompt");
  verb.add_option("-p,--prompt", options->prompt, "The text to continue")->type_name("TEXT")->group("Prompt");
  verb.add_option("--prompt-file", options->prompt_file, "The same from a file, byte for byte; - is standard input")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Prompt");
  verb.add_option("--prompt-ids", options->prompt_ids, "Token ids as in 0,17,4: taken as they are, no BOS added")
      ->type_name("IDS")
      ->group("Prompt");
  verb.add_flag("--ids", options->ids, "Print token ids instead of text")->group("Output");
  verb.add_flag("--json", options->json, "Print one JSON object at the end instead of a stream")->group("Output");
  add_generation_flags(verb, options->generation);
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm generate --prompt \"HAMLET.\" --max-tokens 200 --seed 7\n"
      "  xlstm generate --model DIR --prompt-file - --temperature 0 < question.txt\n"
      "  xlstm generate --prompt \"Once\" --stop \".\" --stop \"!\" --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
