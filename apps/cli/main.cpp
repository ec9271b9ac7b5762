// xlstm VERB: the command line of the engine. Text goes to standard output, everything else to standard error.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string>

#include "apps/cli/exit_codes.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/verbs.h"
#include "apps/cli/version.h"
#include "xlstm/base/log.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  xlstm generate --prompt \"In the beginning God\"\n"
    "  xlstm generate --model DIR --prompt-file story.txt --max-tokens -1\n"
    "  xlstm chat --model DIR\n"
    "  xlstm info --model DIR\n"
    "\n"
    "Flags of the groups Model and Sampling can also be set in the environment (XLSTM_MODEL, XLSTM_TOP_K, ...)\n"
    "or in the file of --config; what is on the command line wins, then the file.\n"
    "Exit codes: 0 done, 1 the states differ (state diff), 2 wrong usage, 3 missing or damaged file, 4 not enough\n"
    "memory, 130 stopped by Ctrl-C (143 by SIGTERM while convert or quantize cleans up), 70 internal error.";

/// Notes of the library go to standard error: warnings always, the rest with --verbose.
void set_up_log(bool verbose) {
  const auto logger = spdlog::stderr_color_mt("xlstm");
  logger->set_pattern("%n: %^%l%$: %v");
  logger->set_level(verbose ? spdlog::level::debug : spdlog::level::warn);
  set_log_sink([logger](LogLevel level, const std::string& message) {
    constexpr std::array kLevels{spdlog::level::debug, spdlog::level::info, spdlog::level::warn};
    logger->log(kLevels.at(static_cast<std::size_t>(level)), message);
  });
}

/// XLSTM_<FLAG> for the flags of the verb that is about to run, and no other: a value that is wrong for one verb must
/// not stop another.
void read_environment(CLI::App& program, int argc, char** argv) {
  CLI::App* app = &program;
  for (int i = 1; i < argc; ++i) {
    const auto verbs = app->get_subcommands([&](CLI::App* verb) { return verb->get_name() == argv[i]; });
    if (verbs.empty()) continue;
    app = verbs.front();
    for (CLI::Option* option : app->get_options()) {
      if (option->get_group() != "Model" && option->get_group() != "Sampling") continue;
      std::string name = "XLSTM_" + option->get_lnames().front();
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
      option->envname(name);
    }
  }
}

/// CLI11's form of help, tidied: what is required stands in the usage line, environment variables in the footer alone.
class Formatter : public CLI::Formatter {
 public:
  Formatter() {
    column_width(32);
    label("REQUIRED", "(required)");
  }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string text = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at; (at = text.find("\n\n\n")) != text.npos;) text.erase(at, 1);
    return text;
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = "Usage: " + name;
    for (const CLI::Option* option : app->get_options()) {
      if (!option->get_required()) continue;
      text += option->nonpositional() ? " --" + option->get_lnames().front() + " " + option->get_type_name()
                                      : " " + option->get_name();
    }
    return text + (app->get_subcommands({}).empty() ? " [FLAG...]\n" : " [FLAG...] VERB [FLAG...]\n");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_items_expected_max() == 0) return "";
    std::string text = option->get_type_name().empty() ? "" : " " + option->get_type_name();
    if (!option->get_default_str().empty()) text += "=" + option->get_default_str();
    return option->get_required() ? text + " " + get_label("REQUIRED") : text;
  }
};

/// Headings of the help, of a verb and of the verbs below it.
void group_help(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({})) {
    verb->group("Verbs");
    verb->get_help_ptr()->group("Flags");
    group_help(*verb);
  }
}

int run(int argc, char** argv) {
  CLI::App program{
      "xlstm runs xLSTM language models: recurrent, with a state of fixed size instead of a growing cache."};
  program.name("xlstm");
  program.formatter(std::make_shared<Formatter>());
  program.footer(kFooter);
  program.option_defaults()->group("Flags");
  program.set_help_flag("-h,--help", "Print this help and exit");
  program.set_version_flag("--version", fmt::format("xlstm {} (commit {})", version(), commit()),
                           "Print version and commit and exit");
  bool verbose = false;
  program.add_flag("-v,--verbose", verbose, "Notes about loading and running on standard error");
  program.set_config("--config", "", "Read flags from a TOML file with a [VERB] section")
      ->type_name("FILE")
      ->check(not_empty("a name"));
  program.allow_config_extras(CLI::config_extras_mode::error);
  program.require_subcommand(1);
  program.fallthrough();

  Action action;
  add_generate(program, action);
  add_batch(program, action);
  add_embed(program, action);
  add_chat(program, action);
  add_serve(program, action);
  add_template(program, action);
  add_tokenize(program, action);
  add_detokenize(program, action);
  add_state(program, action);
  add_dump(program, action);
  add_perplexity(program, action);
  add_info(program, action);
  add_convert(program, action);
  add_quantize(program, action);
  add_bench(program, action);
  add_top(program, action);
  add_completion(program, action);
  group_help(program);
  read_environment(program, argc, argv);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_error(program, error);
  }
  set_up_log(verbose);
  engine::check_machine();
  return action();
}

}  // namespace
}  // namespace xlstm::cli

int main(int argc, char** argv) {
  xlstm::cli::install_signal_handlers();
  return xlstm::cli::report_errors([&] { return xlstm::cli::run(argc, argv); });
}
