// Ctrl-C: ends the program with 130, or, while something that can stop cleanly runs, asks that to stop.
#pragma once

#include <atomic>

namespace xlstm::cli {

/// To be called once, at the start: from then on SIGINT ends the program with exit code 130, SIGPIPE silently.
void install_signal_handlers();

/// While one lives, the first Ctrl-C only sets the flag; the next one ends the program. Scopes do not nest.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  const std::atomic<bool>* flag() const noexcept;
  bool interrupted() const noexcept { return *flag(); }
};

}  // namespace xlstm::cli
