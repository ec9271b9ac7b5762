#include "apps/cli/prompt.h"

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {

void add_prompt_flags(CLI::App& verb, PromptFlags& flags) {
  verb.add_option("-p,--prompt", flags.prompt, "The text to read")->type_name("TEXT")->group("Prompt");
  verb.add_option("--prompt-file", flags.prompt_file, "The same from a file, byte for byte; - is standard input")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Prompt");
  verb.add_option("--prompt-ids", flags.prompt_ids, "Token ids as in 0,17,4: taken as they are, no BOS added")
      ->type_name("IDS")
      ->group("Prompt");
}

Prompt read_prompt(const PromptFlags& flags, std::string_view verb, std::string_view hint) {
  if (flags.count() != 1) {
    fail(ErrorCode::invalid_argument, verb,
         "expected one of --prompt TEXT, --prompt-file FILE and --prompt-ids IDS but got ",
         flags.count() == 0 ? hint : "several");
  }
  if (flags.prompt_ids) return {parse_token_ids(*flags.prompt_ids, "--prompt-ids"), ""};
  return {{}, flags.prompt ? *flags.prompt : read_text(*flags.prompt_file)};
}

}  // namespace xlstm::cli
