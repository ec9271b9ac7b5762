#include "apps/cli/line_reader.h"

#include <histedit.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace xlstm::cli {
namespace {

constexpr int kHistoryLines = 1000;

class PipeReader : public LineReader {
 public:
  bool interactive() const noexcept override { return false; }

 private:
  Event read_line(std::string& line, bool) override { return std::getline(std::cin, line) ? Event::line : Event::end; }
};

struct EndEditLine {
  void operator()(EditLine* edit) const noexcept { el_end(edit); }
};
struct EndHistory {
  void operator()(History* history) const noexcept { history_end(history); }
};

/// Ctrl-C and Ctrl-Z are keys here: while a line is edited the terminal sends no signals for them.
class TerminalReader : public LineReader {
 public:
  TerminalReader() {
    // libedit reads characters of the locale; in the "C" locale that many containers have, those would be ASCII only.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    history_.reset(history_init());
    edit_.reset(el_init("xlstm", stdin, stderr, stderr));
    HistEvent event;
    history(history_.get(), &event, H_SETSIZE, kHistoryLines);
    EditLine* edit = edit_.get();
    el_set(edit, EL_CLIENTDATA, this);
    el_set(edit, EL_HIST, history, history_.get());
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_PROMPT, &TerminalReader::prompt);
    el_set(edit, EL_SIGNAL, 1);
    el_set(edit, EL_SETTY, "-d", "-isig", nullptr);
    el_set(edit, EL_ADDFN, "interrupt", "End the line without reading it", &TerminalReader::on_interrupt);
    el_set(edit, EL_ADDFN, "suspend", "Stop the program until it is brought back", &TerminalReader::on_suspend);
    el_set(edit, EL_BIND, "^C", "interrupt", nullptr);
    el_set(edit, EL_BIND, "^Z", "suspend", nullptr);
  }
  bool interactive() const noexcept override { return true; }

 private:
  static char* prompt(EditLine* edit) {
    static char first[] = "> ", next[] = ". ";
    return self(edit)->continued_ ? next : first;
  }
  static unsigned char on_interrupt(EditLine* edit, int) {
    self(edit)->interrupted_ = true;
    return CC_EOF;
  }
  /// What the terminal would do; libedit (EL_SIGNAL) puts it in order before and after.
  static unsigned char on_suspend(EditLine*, int) {
    kill(0, SIGTSTP);
    return CC_REFRESH;
  }
  static TerminalReader* self(EditLine* edit) {
    void* reader = nullptr;
    el_get(edit, EL_CLIENTDATA, &reader);
    return static_cast<TerminalReader*>(reader);
  }

  Event read_line(std::string& line, bool continued) override {
    continued_ = continued;
    interrupted_ = false;
    int count = 0;
    const char* text = el_gets(edit_.get(), &count);
    if (interrupted_ || text == nullptr || count <= 0) {
      std::fputs(interrupted_ ? "^C\n" : "\n", stderr);
      return interrupted_ ? Event::interrupt : Event::end;
    }
    line.assign(text, static_cast<std::size_t>(count));
    if (line.find_first_not_of(" \n") != line.npos) {
      HistEvent event;
      history(history_.get(), &event, H_ENTER, line.c_str());
    }
    if (!line.empty() && line.back() == '\n') line.pop_back();
    return Event::line;
  }

  std::unique_ptr<History, EndHistory> history_;
  std::unique_ptr<EditLine, EndEditLine> edit_;
  bool continued_ = false;
  bool interrupted_ = false;
};

}  // namespace

LineReader::Event LineReader::read(std::string& text) {
  text.clear();
  std::string line;
  for (bool continued = false;; continued = true) {
    const Event event = read_line(line, continued);
    if (event != Event::line) return event;
    if (!line.ends_with('\\')) break;
    line.pop_back();
    text += line + '\n';
  }
  text += line;
  return Event::line;
}

std::unique_ptr<LineReader> make_line_reader() {
  if (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1) return std::make_unique<TerminalReader>();
  return std::make_unique<PipeReader>();
}

}  // namespace xlstm::cli
