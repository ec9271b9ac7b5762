// xlstm perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"

namespace xlstm::cli {
namespace {

struct Options {
  ModelFlags model;
  std::string file;
  std::int64_t max_tokens = -1;
  bool no_bos = false;
  bool json = false;
};

int run(const Options& options) {
  const std::string text = read_text(options.file);
  const auto engine = load_engine(options.model);
  std::vector<TokenId> tokens = engine->encode(text, !options.no_bos);
  if (options.max_tokens >= 0 && std::ssize(tokens) > options.max_tokens) {
    tokens.resize(static_cast<std::size_t>(options.max_tokens));
  }

  const InterruptScope interrupt;
  ProgressBar bar("reading the text", 1.0);
  generation::Callbacks callbacks;
  callbacks.cancel = interrupt.flag();
  callbacks.on_prefill = [&](std::size_t done, std::size_t total) {
    bar.update(static_cast<double>(done) / static_cast<double>(total));
  };
  const engine::Perplexity found = engine->perplexity(tokens, callbacks);
  bar.clear();

  if (options.json) {
    const nlohmann::ordered_json json{
        {"tokens", found.tokens}, {"nll_per_token", found.nll_per_token}, {"perplexity", found.perplexity}};
    print(json.dump() + "\n");
  } else {
    print(fmt::format("tokens         {}\nnll per token  {:.6f} nats\nperplexity     {:.4f}\n", found.tokens,
                      found.nll_per_token, found.perplexity));
  }
  flush_output();
  return 0;
}

}  // namespace

void add_perplexity(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb =
      *program.add_subcommand("perplexity", "How well a model predicts a text, read as one unbroken sequence");
  verb.add_option("-f,--file", options->file, "The text; - is standard input. Special tokens in it are parsed as such")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->required();
  verb.add_option("-n,--max-tokens", options->max_tokens, "Read only so many tokens, BOS included; -1: all")
      ->type_name("N")
      ->transform(integer_between(-1))
      ->capture_default_str();
  verb.add_flag("--no-bos", options->no_bos, "Do not begin with the model's BOS");
  verb.add_flag("--json", options->json, "Print {\"tokens\", \"nll_per_token\", \"perplexity\"}");
  add_model_flags(verb, options->model);
  verb.footer(
      "The mean is over tokens - 1 predictions, in nats.\n"
      "Examples:\n"
      "  xlstm perplexity --file book.txt\n"
      "  xlstm perplexity --model DIR --file book.txt --max-tokens 8192 --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
