#include "apps/cli/line_reader.h"

#include <histedit.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include "apps/cli/standard_output.h"
#include "apps/cli/terminal.h"

namespace xlstm::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr auto kInvalid = static_cast<std::size_t>(-1), kIncomplete = static_cast<std::size_t>(-2);  // of mbrtowc

class PipeReader : public LineReader {
 public:
  bool interactive() const noexcept override { return false; }

 private:
  Event read_line(std::string& line, bool) override { return cli::read_line(line) ? Event::line : Event::end; }
};

struct EndEditLine {
  void operator()(EditLine* edit) const noexcept { el_end(edit); }
};
struct EndHistory {
  void operator()(History* history) const noexcept { history_end(history); }
};

/// One mode of the terminal from the beginning to the end, also while answers are written: keys come one by one,
/// nothing is echoed but by the editor, and Ctrl-C and Ctrl-Z are signals. So it does not matter when a key is pressed:
/// what is typed ahead waits for the editor. (libedit alone would write the prompt first and take the terminal then,
/// and give it back between the lines; in between Ctrl-C ended the program, Ctrl-D was lost and what was typed appeared
/// twice.)
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
    el_set(edit, EL_GETCFN, &TerminalReader::read_key);
    int edits = 0;
    if (el_get(edit, EL_EDITMODE, &edits) != 0 || edits == 0) return;  // a terminal that libedit leaves as it is
    el_set(edit, EL_SETTY, "-x", "-icanon", "-echo", nullptr);         // "-x": between the lines
    el_set(edit, EL_PREP_TERM, 1);
    terminal_.keep_mode();
  }
  bool interactive() const noexcept override { return true; }

 private:
  static char* prompt(EditLine* edit) {
    static char first[] = "> ", next[] = ". ";
    return self(edit)->continued_ ? next : first;
  }
  static TerminalReader* self(EditLine* edit) {
    void* reader = nullptr;
    el_get(edit, EL_CLIENTDATA, &reader);
    return static_cast<TerminalReader*>(reader);
  }

  /// As libedit wants it: 1 and a character, 0 at the end, -1 (EINTR) when the line is broken off.
  static int read_key(EditLine* edit, wchar_t* key) {
    TerminalReader& reader = *self(edit);
    std::array<char, MB_LEN_MAX> bytes{};
    for (std::size_t count = 0;;) {
      if (!reader.wait_for_byte()) {
        errno = EINTR;
        return -1;
      }
      if (::read(STDIN_FILENO, &bytes.at(count), 1) != 1) return 0;
      std::size_t length = decode(key, bytes.data(), ++count);
      if (length == kInvalid && count > 1) {  // the byte that does not go on begins another one
        bytes[0] = bytes.at(count - 1);
        length = decode(key, bytes.data(), count = 1);
      }
      if (length == kInvalid) count = 0;  // dropped
      if (length != kInvalid && length != kIncomplete) return 1;
    }
  }
  static std::size_t decode(wchar_t* key, const char* bytes, std::size_t count) {
    std::mbstate_t state{};
    return std::mbrtowc(key, bytes, count, &state);
  }
  /// False: Ctrl-C came instead.
  bool wait_for_byte() {
    for (;;) {
      switch (terminal_.wait()) {
        case Terminal::Event::key:
          return true;
        case Terminal::Event::interrupt:
          interrupted_ = true;
          return false;
        case Terminal::Event::resumed:
          el_set(edit_.get(), EL_REFRESH);
          break;
        case Terminal::Event::resized:
          el_resize(edit_.get());
          break;
      }
    }
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

  Terminal terminal_;  // before the editor: it knows how the terminal was found
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
