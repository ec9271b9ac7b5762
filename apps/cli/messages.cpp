#include "apps/cli/messages.h"

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {

using Json = nlohmann::ordered_json;

void add_messages_flags(CLI::App& verb, MessagesFlags& flags) {
  CLI::Option* messages =
      verb.add_option(
              "--messages", flags.messages,
              "A JSON list of messages with \"role\" and \"content\", put together by the model's chat template; "
              "- is standard input")
          ->type_name("FILE.json")
          ->check(not_empty("a name"))
          ->group("Prompt");
  verb.add_option("--tools", flags.tools, "A JSON list of the tools that the template tells the model of")
      ->type_name("FILE.json")
      ->check(not_empty("a name"))
      ->group("Prompt")
      ->needs(messages);
}

const text::ChatTemplate& require_chat_template(const engine::Engine& engine, std::string_view where) {
  if (const text::ChatTemplate* found = engine.chat_template()) return *found;
  fail(ErrorCode::unsupported, where, "expected a model with a chat template, or --chat-template FILE, but ",
       engine.source(), " has none");
}

Json read_json_array(const std::string& path) {
  Json json;
  try {
    json = Json::parse(read_text(path));
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::invalid_argument, path, "expected a JSON list but byte ", error.byte, " is wrong");
  }
  if (!json.is_array()) fail(ErrorCode::invalid_argument, path, "expected a JSON list but got ", json.type_name());
  return json;
}

std::string render_messages(const engine::Engine& engine, const MessagesFlags& flags, bool add_generation_prompt) {
  const text::ChatTemplate& chat = require_chat_template(engine, "--messages");
  text::ChatRequest request;
  request.messages = read_json_array(flags.messages);
  if (!flags.tools.empty()) request.tools = read_json_array(flags.tools);
  request.add_generation_prompt = add_generation_prompt;
  return chat.render(request);
}

}  // namespace xlstm::cli
