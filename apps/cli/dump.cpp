// xlstm dump: logits of every position and the final state, as a file.
#include "xlstm/engine/dump.h"

#include <memory>

#include "apps/cli/flags.h"
#include "apps/cli/numbers.h"
#include "apps/cli/verbs.h"

namespace xlstm::cli {
namespace {

struct Options {
  ModelFlags model;
  std::string tokens;
  std::string output;
};

int run(const Options& options) {
  const std::vector<TokenId> tokens = parse_token_ids(options.tokens, "--tokens");
  const auto engine = load_engine(options.model);
  engine::dump_logits_and_state(*engine, tokens, options.output);
  return 0;
}

}  // namespace

void add_dump(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb =
      *program.add_subcommand("dump", "Write logits and state as safetensors, to compare with a reference");
  verb.add_option("--tokens", options->tokens, "Token ids as in 0,17,4: taken as they are, from a fresh state")
      ->type_name("IDS")
      ->required();
  verb.add_option("-o,--output", options->output,
                  "File to write: logits [T, V] of every position, state.* after the last token, all float32")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->required();
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm dump --tokens 0,17,4 --output out.safetensors\n"
      "  xlstm dump --model DIR --backend cpu --tokens 0,17,4 --output out.safetensors");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
