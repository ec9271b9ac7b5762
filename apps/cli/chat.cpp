// xlstm chat: a conversation at the terminal.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/conversation.h"
#include "apps/cli/draft_flags.h"
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
#include "xlstm/engine/request_meter.h"

namespace xlstm::cli {
namespace {

using generation::FinishReason;

struct Options {
  ModelFlags model;
  GenerationFlags generation;
  DraftFlags draft;
  std::string stats_socket;  // empty: none
  std::string system;
  bool no_chat_template = false;
};

constexpr const char* kHelp =
    "/reset        forget everything\n"
    "/undo         back to before the last turn, /reset or /load\n"
    "/retry        another answer to what was said last\n"
    "/edit TEXT    the last turn with TEXT in place of what was said\n"
    "/save FILE    keep the conversation as a file (with a chat template its messages too, as FILE.messages.json)\n"
    "/load FILE    go on with a conversation that was kept\n"
    "/help         this list\n"
    "/quit         leave (or Ctrl-D, or Ctrl-C twice)\n"
    "A line that ends in a backslash goes on in the next one; //text is read as /text.\n"
    "Ctrl-C stops an answer.\n";

class Chat {
 public:
  Chat(engine::Engine& engine, generation::Request request, Conversation::Options options, engine::RequestMeter& meter)
      : request_(std::move(request)),
        conversation_(engine, std::move(options)),
        meter_(meter),
        reader_(make_line_reader()) {}

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
    if (entry.starts_with("//")) return say_to_model(entry.substr(1));
    if (entry.starts_with("/")) return command(entry);
    if (entry.find_first_not_of(" \t\r") != entry.npos) say_to_model(entry);
  }

  void command(const std::string& entry) {
    const std::size_t space = std::min(entry.find_first_of(" \n"), entry.size());
    const std::string name = entry.substr(0, space);
    std::string rest = entry.substr(space);
    rest.erase(0, rest.find_first_not_of(" \t"));
    rest.erase(rest.find_last_not_of(" \t\r") + 1);
    const bool wants_file = name == "/save" || name == "/load", wants_text = name == "/edit";
    if (wants_file && rest.empty()) fail(ErrorCode::invalid_argument, name, "expected a file name but got none");
    if (wants_text && rest.empty()) fail(ErrorCode::invalid_argument, name, "expected a text but got none");
    if (!wants_file && !wants_text && !rest.empty())
      fail(ErrorCode::invalid_argument, name, "expected nothing after it but got '", rest, "'");
    if (name == "/quit") return leave();
    if (name == "/help") return say(kHelp);
    if (name == "/reset") return conversation_.reset(), tell("forgotten");
    if (name == "/undo") return undo();
    if (name == "/retry") return retry();
    if (name == "/edit") return edit(rest);
    if (name == "/save") return conversation_.save(rest), tell("saved to " + rest);
    if (name == "/load") return conversation_.load(rest), tell("loaded " + rest);
    fail(ErrorCode::invalid_argument, "chat",
         "expected /reset, /undo, /retry, /edit, /save, /load, /help or /quit but got '", name, "'");
  }

  void leave() { done_ = true; }
  void tell(const std::string& what) const {
    note(fmt::format("{}; {} tokens read", what, conversation_.num_tokens()));
  }
  void undo() {
    if (!conversation_.undo()) fail(ErrorCode::invalid_argument, "/undo", "expected an earlier turn but got none");
    tell("undone");
  }

  void say_to_model(const std::string& text) {
    answer("this turn is forgotten",
           [&](const generation::Callbacks& callbacks) { return conversation_.turn(text, request_, callbacks); });
  }
  void retry() {
    answer("the earlier answer stays",
           [&](const generation::Callbacks& callbacks) { return conversation_.retry(request_, callbacks); });
  }
  void edit(const std::string& text) {
    answer("the earlier turn stays",
           [&](const generation::Callbacks& callbacks) { return conversation_.edit(text, request_, callbacks); });
  }

  /// when_stopped: what becomes of a turn without a token.
  void answer(const char* when_stopped, const engine::RequestMeter::Run& turn) {
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
    const generation::Result result = meter_.measure(callbacks, turn);
    meter_.note_states(conversation_.state_bytes(), conversation_.max_state_bytes());
    bar.clear();
    if (last != '\n') print("\n");
    flush_output();
    if (result.finish_reason == FinishReason::cancelled) {
      interrupt.take();  // one that came too late for the answer is the next prompt's
      note(result.ids.empty() ? fmt::format("stopped before the answer: {}", when_stopped) : "stopped");
    }
    report(result);
  }

  void report(const generation::Result& result) const {
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
    if (const generation::SpeculationCounts& counts = result.speculation; counts.passes > 0) {
      log(LogLevel::info, fmt::format("draft: {} of {} guesses right, {:.2f} tokens a pass", counts.accepted,
                                      counts.drafted, counts.steps_per_pass()));
    }
  }

  generation::Request request_;
  Conversation conversation_;
  engine::RequestMeter& meter_;
  std::unique_ptr<LineReader> reader_;
  bool done_ = false;
};

int run(const Options& options) {
  check(options.generation);
  const auto engine = load_engine(options.model);
  const text::ChatTemplate* chat_template = options.no_chat_template ? nullptr : engine->chat_template();
  if (!options.system.empty()) require_chat_template(*engine, "--system");
  const auto draft = make_lasting_draft(options.draft, *engine, options.model);
  engine::RequestMeter meter;
  const auto stats = open_stats_socket(options.stats_socket, [&] { return meter.stats(); });
  return Chat(*engine, make_request(options.generation, *engine),
              {chat_template, options.system, draft.get(), options.draft.tokens}, meter)
      .run();
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
  add_draft_flags(verb, options->draft);
  add_stats_flag(verb, options->stats_socket);
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
