// xlstm template: messages in, the prompt that the model's chat template makes of them out.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/flags.h"
#include "apps/cli/messages.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"

namespace xlstm::cli {
namespace {

struct Options {
  ModelFlags model;
  MessagesFlags messages;
  bool no_generation_prompt = false;
  bool ids = false;
};

int run(const Options& options) {
  const auto engine = load_engine(options.model);
  const std::string text = render_messages(*engine, options.messages, !options.no_generation_prompt);
  print(options.ids ? fmt::format("{}\n", fmt::join(engine->encode(text, /*with_bos=*/true), ",")) : text);
  flush_output();
  return 0;
}

}  // namespace

void add_template(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb =
      *program.add_subcommand("template", "Print the prompt that a model's chat template makes of messages");
  add_messages_flags(verb, options->messages);
  verb.get_option("--messages")->required();
  verb.add_flag("--no-generation-prompt", options->no_generation_prompt, "Without the beginning of the answer")
      ->group("Prompt");
  verb.add_flag("--ids", options->ids, "Print token ids instead of text, as --prompt-ids takes them")->group("Output");
  add_model_flag(verb, options->model);
  add_chat_template_flag(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  echo '[{\"role\": \"user\", \"content\": \"Good morrow.\"}]' | xlstm template --model DIR --messages -\n"
      "  xlstm template --model DIR --messages talk.json --tools tools.json --ids");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
