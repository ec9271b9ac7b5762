// Ctrl-C: ends the program with 130, or, while something that can stop cleanly runs, asks that to stop. SIGTERM and
// SIGHUP: end the program, or ask what has files to clean up.
#pragma once

#include <atomic>

namespace xlstm::cli {

/// To be called once, at the start: from then on SIGINT ends the program with exit code 130, SIGPIPE silently, SIGTERM
/// and SIGHUP as they do without a handler.
void install_signal_handlers();

/// While one lives, Ctrl-C only sets the flag. A scope inside one that is not impatient shares its flag and its temper.
/// Not thread-safe: scopes begin and end on one thread; any thread may read the flag.
class InterruptScope {
 public:
  /// What the next Ctrl-C does while the flag is still set: an impatient scope then ends the program with 130. A
  /// cleaning one is patient, and SIGTERM and SIGHUP set its flag as well.
  enum class Temper { impatient, patient, cleaning };

  explicit InterruptScope(Temper temper = Temper::impatient);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

  const std::atomic<bool>* flag() const noexcept;
  bool interrupted() const noexcept { return *flag(); }
  /// Whether the flag was set; it no longer is.
  bool take() noexcept;

 private:
  int outer_;
};

/// What a program that was asked to stop ends with: 128 + the signal that asked, 130 for Ctrl-C.
int interrupted_exit_code() noexcept;

/// A byte is written to `fd`, which must not block, whenever a scope lives and Ctrl-C comes; -1: no longer.
void wake_on_interrupt(int fd) noexcept;

}  // namespace xlstm::cli
