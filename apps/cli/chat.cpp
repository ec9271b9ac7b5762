// xlstm chat: a conversation at the terminal.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/conversation.h"
#include "apps/cli/exit_codes.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/line_reader.h"
#include "apps/cli/messages.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::cli {
namespace {

using generation::FinishReason;

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  std::string system;
  bool no_chat_template = false;
};

constexpr const char* kHelp =
    "/reset        forget everything\n"
    "/undo         back to before the last turn, /reset or /load\n"
    "/save FILE    keep the conversation as a file (with a chat template its messages too, as FILE.messages.json)\n"
    "/load FILE    go on with a conversation that was kept\n"
    "/help         this list\n"
    "/quit         leave (or Ctrl-D, or Ctrl-C twice)\n"
    "A line that ends in a backslash goes on in the next one; //text is read as /text.\n"
    "Ctrl-C stops an answer.\n";

class Chat {
 public:
  Chat(engine::Engine& engine, generation::Request request, const text::ChatTemplate* chat_template,
       const std::string& system)
      : request_(std::move(request)), conversation_(engine, chat_template, system), reader_(make_line_reader()) {}

  int run() {
    if (reader_->interactive()) note("/help lists the commands, /quit leaves");
    int interrupts = 0;
    std::string entry;
    while (!done_ && interrupts < 2) {
      const LineReader::Event event = reader_->read(entry);
      if (event == LineReader::Event::end) break;
      if (event == LineReader::Event::interrupt) {
        if (++interrupts == 1) note("Ctrl-C again, Ctrl-D or /quit leaves");
        continue;
      }
      interrupts = 0;
      respond(entry);
    }
    return 0;
  }

 private:
  void note(const std::string& text) const { say(fmt::format("({})\n", text)); }

  /// At a terminal a mistake is told and the conversation goes on; in a script it ends the program.
  void respond(const std::string& entry) {
    if (!reader_->interactive()) return obey(entry);
    report_errors([&] {
      obey(entry);
      return 0;
    });
  }

  void obey(const std::string& entry) {
    if (entry.starts_with("//")) return answer(entry.substr(1));
    if (entry.starts_with("/")) return command(entry);
    if (entry.find_first_not_of(" \t\r") != entry.npos) answer(entry);
  }

  void command(const std::string& entry) {
    const std::size_t space = std::min(entry.find(' '), entry.size());
    const std::string name = entry.substr(0, space);
    std::string file = entry.substr(space);
    file.erase(0, file.find_first_not_of(" \t"));
    file.erase(file.find_last_not_of(" \t\r") + 1);
    const bool wants_file = name == "/save" || name == "/load";
    if (wants_file && file.empty()) fail(ErrorCode::invalid_argument, name, "expected a file name but got none");
    if (!wants_file && !file.empty())
      fail(ErrorCode::invalid_argument, name, "expected nothing after it but got '", file, "'");
    if (name == "/quit") return leave();
    if (name == "/help") return say(kHelp);
    if (name == "/reset") return conversation_.reset(), tell("forgotten");
    if (name == "/undo") return undo();
    if (name == "/save") return conversation_.save(file), tell("saved to " + file);
    if (name == "/load") return conversation_.load(file), tell("loaded " + file);
    fail(ErrorCode::invalid_argument, "chat", "expected /reset, /undo, /save, /load, /help or /quit but got '", name,
         "'");
  }

  void leave() { done_ = true; }
  void tell(const std::string& what) const {
    note(fmt::format("{}; {} tokens read", what, conversation_.num_tokens()));
  }
  void undo() {
    if (!conversation_.undo()) fail(ErrorCode::invalid_argument, "/undo", "expected an earlier turn but got none");
    tell("undone");
  }

  void answer(const std::string& text) {
    InterruptScope interrupt;
    ProgressBar bar("reading", 1.0);
    char last = '\n';
    generation::Callbacks callbacks;
    callbacks.cancel = interrupt.flag();
    callbacks.on_prefill = [&](std::size_t done, std::size_t total) {
      bar.update(static_cast<double>(done) / static_cast<double>(total));
    };
    callbacks.on_text = [&](std::string_view piece) {
      print(piece);
      flush_output();
      last = piece.back();
    };
    const generation::Result result = conversation_.turn(text, request_, callbacks);
    bar.clear();
    if (last != '\n') print("\n");
    flush_output();
    if (result.finish_reason == FinishReason::cancelled) {
      interrupt.take();  // one that came too late for the answer is the next prompt's
      note(result.ids.empty() ? "stopped before the answer: this turn is forgotten" : "stopped");
    }
    if (conversation_.read_again() > 0) {
      note(
          fmt::format("the template tells the last turns in another way than the state has read them: {} tokens were "
                      "read again",
                      conversation_.read_again()));
    }
    const generation::Timings& timings = result.timings;
    log(LogLevel::info,
        fmt::format("read {} tokens at {}, answered {} tokens at {}; {} tokens in all", timings.prompt_tokens,
                    human_rate(timings.prefill_tokens_per_second()), timings.generated_tokens,
                    human_rate(timings.decode_tokens_per_second()), conversation_.num_tokens()));
  }

  generation::Request request_;
  Conversation conversation_;
  std::unique_ptr<LineReader> reader_;
  bool done_ = false;
};

int run(const Options& options) {
  check(options.generation);
  const auto engine = load_engine(options.model);
  const text::ChatTemplate* chat_template = options.no_chat_template ? nullptr : engine->chat_template();
  if (!options.system.empty()) require_chat_template(*engine, "--system");
  return Chat(*engine, make_request(options.generation, *engine), chat_template, options.system).run();
}

}  // namespace

void add_chat(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  options->generation.max_tokens = 256;
  CLI::App& verb =
      *program.add_subcommand("chat", "Talk to a model; its memory is the state, so every turn reads only new text");
  CLI::Option* system = verb.add_option("--system", options->system,
                                        "What the model is told before the conversation, by its chat template")
                            ->type_name("TEXT")
                            ->check(not_empty("a text"))
                            ->group("Prompt");
  CLI::Option* plain = verb.add_flag("--no-chat-template", options->no_chat_template,
                                     "Feed the typed text as it is, though the model has a chat template")
                           ->group("Prompt")
                           ->excludes(system);
  add_generation_flags(verb, options->generation);
  add_model_flags(verb, options->model);
  add_chat_template_flag(verb, options->model);
  plain->excludes(verb.get_option("--chat-template"));
  verb.footer(std::string("Commands:\n") + kHelp +
              "Examples:\n"
              "  xlstm chat --max-tokens 100 --stop \"\\n\\n\"\n"
              "  xlstm chat --model DIR --system \"You are a pirate.\"\n"
              "  printf 'Good morrow.\\n/save talk.safetensors\\n' | xlstm chat");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
