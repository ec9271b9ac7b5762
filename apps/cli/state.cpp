// xlstm state: what a model has read, as a file. Here the actions that run a model; info and diff need none.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/prompt.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/state_files.h"
#include "apps/cli/state_verbs.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelFlags model;
  PromptFlags prompt;
  CompressFlags compress;
  std::string file, output, append;
  std::int64_t top = 10;
  bool json = false;
};

/// With a progress bar; Ctrl-C stops it, and then nothing is written.
void read(engine::Engine& engine, engine::Session& session, std::span<const TokenId> tokens) {
  const InterruptScope interrupt;
  ProgressBar bar("reading", 1.0);
  const std::size_t segment = engine.backend().prefill_segment();  // cut there, no bit changes
  std::size_t done = 0;
  do {
    if (interrupt.interrupted()) {
      fail(ErrorCode::cancelled, "state", "stopped by Ctrl-C before the end of the text: nothing was written");
    }
    const std::size_t count = std::min(segment, tokens.size() - done);
    engine.prefill(session, tokens.subspan(done, count));
    done += count;
    bar.update(static_cast<double>(done) / static_cast<double>(tokens.size()));
  } while (done < tokens.size());
}

/// Reads the tokens, writes the file, and says what it holds.
int read_and_save(const Options& options, engine::Engine& engine, engine::Session& session,
                  const std::vector<TokenId>& tokens) {
  const std::size_t before = session.ids().size();
  read(engine, session, tokens);
  engine.save(session, options.output, options.compress.options());
  const std::size_t all = session.ids().size(), bytes = std::filesystem::file_size(options.output);
  if (options.json) {
    const ordered_json result = {
        {"file", options.output}, {"read_tokens", all - before}, {"token_count", all}, {"file_bytes", bytes}};
    print(result.dump() + "\n");
    flush_output();
  } else {
    say(fmt::format("read {} tokens, {} in all | {} in {}\n", all - before, all, human_bytes(bytes), options.output));
  }
  return 0;
}

int run_save(const Options& options) {
  const Prompt prompt = read_prompt(options.prompt, "state save", "none");
  check_can_write(options.output);
  const auto engine = load_engine(options.model);
  engine::Session session = engine->new_session();
  return read_and_save(options, *engine, session, prompt.encode(*engine, /*with_bos=*/true));
}

int run_fork(const Options& options) {
  const std::string text = read_text(options.append);
  check_can_write(options.output);
  const auto engine = load_engine_for(options.file, options.model);
  engine::Session session = engine->restore(options.file);
  const bool with_bos = session.ids().empty();
  return read_and_save(options, *engine, session, engine->encode(text, with_bos));
}

/// [{"id", "text", "probability"}], most probable first.
ordered_json top_tokens(const engine::Engine& engine, const engine::Session& session, std::int64_t count) {
  ordered_json top = ordered_json::array();
  if (session.logits().empty()) return top;
  for (const auto& [id, probability] :
       sampling::distribution(session.logits(), {}, {}, engine.tokenizer().vocab_size())) {
    if (std::ssize(top) == count) break;
    top.push_back({{"id", id}, {"text", engine.tokenizer().decode({id})}, {"probability", probability}});
  }
  return top;
}

int run_load(const Options& options) {
  const auto engine = load_engine_for(options.file, options.model);
  const engine::Session session = engine->restore(options.file);
  const ordered_json top = top_tokens(*engine, session, options.top);
  if (options.json) {
    const ordered_json result = {{"file", options.file},
                                 {"model", engine->source()},
                                 {"token_count", session.ids().size()},
                                 {"aligned", session.aligned()},
                                 {"has_logits", !session.logits().empty()},
                                 {"top_tokens", top}};
    print(result.dump() + "\n");
  } else {
    print(fmt::format("{} fits {}; {} tokens read\n", options.file, engine->source(), session.ids().size()));
    if (session.logits().empty()) print("no logits are kept: what comes next is known only after another token\n");
    for (const ordered_json& token : top) {
      print(fmt::format("{:<10.6f} {:>6}  {}\n", token["probability"].get<double>(), token["id"].get<TokenId>(),
                        token["text"].dump()));
    }
  }
  flush_output();
  return 0;
}

void add_output_flags(CLI::App& verb, Options& options) {
  verb.add_option("-o,--output", options.output, "The state file to write; written whole or not at all")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->required()
      ->group("Output");
  add_compress_flags(verb, options.compress);
  verb.add_flag("--json", options.json, "Print one JSON object about it")->group("Output");
}

void add_save(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *group.add_subcommand("save", "Read a text and keep the state");
  add_prompt_flags(verb, options->prompt);
  add_output_flags(verb, *options);
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm state save --model DIR --prompt-file manual.txt --output manual.xst\n"
      "  xlstm generate --model DIR --state manual.xst --prompt \"How do I reset it?\"");
  verb.final_callback([options, &action] { action = [options] { return run_save(*options); }; });
}

void add_fork(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *group.add_subcommand("fork", "Go on from a state file into another; only the new text is read");
  add_state_file(verb, "FILE", options->file);
  verb.add_option("--append", options->append, "The text to read after what the state has read; - is standard input")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->required()
      ->group("Prompt");
  add_output_flags(verb, *options);
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm state fork manual.xst --model DIR --append errata.txt --output manual2.xst");
  verb.final_callback([options, &action] { action = [options] { return run_fork(*options); }; });
}

void add_load(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb =
      *group.add_subcommand("load", "Check a state file against a model and tell the most probable next tokens");
  add_state_file(verb, "FILE", options->file);
  verb.add_option("--top", options->top, "How many tokens")
      ->type_name("N")
      ->transform(integer_between(0))
      ->group("Output")
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print one JSON object")->group("Output");
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm state load manual.xst --model DIR --top 5");
  verb.final_callback([options, &action] { action = [options] { return run_load(*options); }; });
}

}  // namespace

void add_state_file(CLI::App& verb, const char* name, std::string& file) {
  verb.add_option(name, file, "A state file")->type_name("")->check(not_empty("a name"))->required();
}

void add_state(CLI::App& program, Action& action) {
  CLI::App& group =
      *program.add_subcommand("state", "What a model has read, as a file: save, load, fork, look at, compare");
  group.require_subcommand(1);
  group.fallthrough();
  add_save(group, action);
  add_load(group, action);
  add_fork(group, action);
  add_state_info(group, action);
  add_state_diff(group, action);
  group.footer(
      "Examples:\n"
      "  xlstm state save --prompt-file manual.txt --output manual.xst\n"
      "  xlstm state info manual.xst\n"
      "docs/state_file.md has the format.");
}

}  // namespace xlstm::cli
