// xlstm top: a running xlstm, watched through its --stats-socket.
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/top_screen.h"
#include "apps/cli/verbs.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string socket;
  bool once = false;
  bool json = false;
};

int run(const Options& options) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !options.once && !options.json;
  std::optional<Json> before;
  engine::read_stats(options.socket, [&](const std::string& line) {
    if (options.json) {
      print(line + "\n");
    } else {
      const Json stats = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      print((terminal ? "\x1b[H\x1b[J" : before ? "\n" : "") + top_screen(stats, before, options.socket));
      before = stats;
    }
    flush_output();
    return !options.once;
  });
  return 0;
}

}  // namespace

void add_top(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("top", "Watch a running xlstm");
  verb.add_option("socket", options->socket, "What the running one was given as --stats-socket")
      ->type_name("PATH")
      ->check(not_empty("a path"))
      ->required();
  verb.add_flag("--once", options->once, "Print what there is now and leave");
  verb.add_flag("--json", options->json, "Print the lines as they come");
  verb.footer(
      "Ends when the other does, or with Ctrl-C.\n"
      "Examples:\n"
      "  xlstm batch --input in.jsonl --output out.jsonl --stats-socket /tmp/xlstm.sock &\n"
      "  xlstm top /tmp/xlstm.sock");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
