// xlstm perplexity: how well a model predicts a text.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "xlstm/engine/compare.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelFlags model;
  std::string file;
  std::string compare;  // empty: nothing
  std::int64_t max_tokens = -1;
  bool layers = false;
  bool no_bos = false;
  bool json = false;
};

std::vector<TokenId> read_tokens(const Options& options, const std::string& text, const engine::Engine& engine) {
  std::vector<TokenId> tokens = engine.encode(text, !options.no_bos);
  if (options.max_tokens >= 0 && std::ssize(tokens) > options.max_tokens) {
    tokens.resize(static_cast<std::size_t>(options.max_tokens));
  }
  return tokens;
}

/// Calls `read` with a progress bar; Ctrl-C stops it.
template <class F>
auto with_bar(F&& read) {
  const InterruptScope interrupt;
  ProgressBar bar("reading the text", 1.0);
  generation::Callbacks callbacks;
  callbacks.cancel = interrupt.flag();
  callbacks.on_prefill = [&](std::size_t done, std::size_t total) {
    bar.update(static_cast<double>(done) / static_cast<double>(total));
  };
  return read(callbacks);
}

ordered_json to_json(const engine::Perplexity& found) {
  return {{"tokens", found.tokens}, {"nll_per_token", found.nll_per_token}, {"perplexity", found.perplexity}};
}

std::string to_text(const engine::Perplexity& found) {
  return fmt::format("tokens           {}\nnll per token    {:.6f} nats\nperplexity       {:.4f}\n", found.tokens,
                     found.nll_per_token, found.perplexity);
}

double percent_change(const engine::Comparison& found) {
  return 100 * (found.other.perplexity / found.reference.perplexity - 1);
}

std::string depth_name(std::size_t depth) { return depth == 0 ? "embedding" : "block " + std::to_string(depth - 1); }

ordered_json to_json(const engine::Engine& other, const engine::Comparison& found) {
  ordered_json json = to_json(found.reference);
  ordered_json& compared = json["compared"];
  compared = {{"model", other.source()},
              {"nll_per_token", found.other.nll_per_token},
              {"perplexity", found.other.perplexity},
              {"perplexity_change_percent", percent_change(found)},
              {"mean_kl", found.mean_kl},
              {"max_kl", found.max_kl},
              {"top1_agreement", found.top1_agreement}};
  if (!found.layer_errors.empty()) compared["layer_errors"] = found.layer_errors;
  return json;
}

std::string to_text(const engine::Engine& other, const engine::Comparison& found) {
  std::string text = to_text(found.reference);
  text += fmt::format("compared with    {}\nnll per token    {:.6f} nats\nperplexity       {:.4f} ({:+.3f} %)\n",
                      other.source(), found.other.nll_per_token, found.other.perplexity, percent_change(found));
  text += fmt::format("KL divergence    {:.3g} nats a token, {:.3g} at most\ntop-1 agreement  {:.3f} %\n",
                      found.mean_kl, found.max_kl, 100 * found.top1_agreement);
  for (std::size_t depth = 0; depth < found.layer_errors.size(); ++depth) {
    text += fmt::format("{:<16} {:.3g}\n", depth_name(depth), found.layer_errors[depth]);
  }
  return text;
}

/// The reference runs as it does by default; how the other one runs, the flags say.
void run_comparison(const Options& options, const std::string& text) {
  ModelFlags reference_flags = options.model, other_flags = options.model;
  reference_flags.activation_dtype.clear();
  reference_flags.state_dtype = ModelFlags().state_dtype;
  other_flags.model = options.compare;
  const auto reference = load_engine(reference_flags), other = load_engine(other_flags);
  const std::vector<TokenId> tokens = read_tokens(options, text, *reference);
  const engine::Comparison found = with_bar([&](const generation::Callbacks& callbacks) {
    return engine::compare(*reference, *other, tokens, options.layers, callbacks);
  });
  print(options.json ? to_json(*other, found).dump() + "\n" : to_text(*other, found));
}

int run(const Options& options) {
  const std::string text = read_text(options.file);
  if (options.compare.empty()) {
    const auto engine = load_engine(options.model);
    const std::vector<TokenId> tokens = read_tokens(options, text, *engine);
    const engine::Perplexity found =
        with_bar([&](const generation::Callbacks& callbacks) { return engine->perplexity(tokens, callbacks); });
    print(options.json ? to_json(found).dump() + "\n" : to_text(found));
  } else {
    run_comparison(options, text);
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
  CLI::Option* compare =
      verb.add_option("--compare", options->compare,
                      "Read the text with a second model too and say how far its predictions are from the first one's")
          ->type_name("DIR")
          ->check(not_empty("a name"));
  verb.add_flag("--layers", options->layers, "Also by how much each block's output differs, relative to its norm")
      ->needs(compare);
  verb.add_flag("--json", options->json,
                "Print {\"tokens\", \"nll_per_token\", \"perplexity\"}, with --compare \"compared\" too");
  add_model_flags(verb, options->model);
  verb.footer(
      "The mean is over tokens - 1 predictions, in nats. With --compare the first model is the reference of the "
      "divergences\n"
      "and runs with its default activations and state: --activation-dtype and --state-dtype are the second one's.\n"
      "Examples:\n"
      "  xlstm perplexity --file book.txt\n"
      "  xlstm perplexity --model DIR --compare DIR-int4 --layers --file book.txt\n"
      "  xlstm perplexity --model DIR --file book.txt --max-tokens 8192 --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
