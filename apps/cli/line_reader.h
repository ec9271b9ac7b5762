// Lines typed by a person, with editing, or read from a pipe, without.
#pragma once

#include <memory>
#include <string>

namespace xlstm::cli {

class LineReader {
 public:
  enum class Event { line, interrupt, end };

  virtual ~LineReader() = default;
  /// A whole entry in `text`, without its newline; a line that ends in a backslash goes on in the next one.
  Event read(std::string& text);
  /// Whether somebody is sitting there: then mistakes are told and forgiven.
  virtual bool interactive() const noexcept = 0;

 private:
  virtual Event read_line(std::string& line, bool continued) = 0;
};

/// libedit when standard input and error are terminals, else plain lines. At a terminal Ctrl-C never ends the program:
/// it gives Event::interrupt, now or at the next read(), unless an InterruptScope takes it first.
std::unique_ptr<LineReader> make_line_reader();

}  // namespace xlstm::cli
