// The terminal that lines are typed at: whose mode it is in, and what its signals do.
#pragma once

#include "apps/cli/interrupt.h"

namespace xlstm::cli {

/// From its beginning to its end Ctrl-C never ends the program, whatever that does: it sets the flag of InterruptScope,
/// and wait() tells it when nobody took it before.
/// The mode in which the terminal was found is put back before the program is stopped (Ctrl-Z) or ended by a signal,
/// and the kept one taken again when it goes on. Standard input must be a terminal. At most one lives, on one thread.
class Terminal {
 public:
  enum class Event { key, interrupt, resumed, resized };

  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Keeps the mode that the terminal is in now.
  void keep_mode();
  /// Waits for a key (it can then be read), or for a signal; a Ctrl-C that came before the call counts.
  Event wait();

 private:
  InterruptScope interrupts_{InterruptScope::Temper::patient};
};

}  // namespace xlstm::cli
