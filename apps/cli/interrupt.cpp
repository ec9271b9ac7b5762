#include "apps/cli/interrupt.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "apps/cli/exit_codes.h"

namespace xlstm::cli {
namespace {

constexpr int kExits = 0, kAsksOnce = 1, kAsks = 2, kCleans = 3;  // what Ctrl-C does
constexpr int kEndings[] = {SIGTERM, SIGHUP};

std::atomic<bool> g_interrupted{false};
std::atomic<int> g_signal{SIGINT};
std::atomic<int> g_manner{kExits};
std::atomic<int> g_wake_fd{-1};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);  // touched by a handler

// Once the handler has returned: it holds the signal back until then.
void end_as_if_unhandled(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

extern "C" void on_interrupt(int signal) {
  const int manner = g_manner;
  if (signal != SIGINT && manner != kCleans) return end_as_if_unhandled(signal);
  g_signal = signal;
  if (manner == kExits || (g_interrupted.exchange(true) && manner == kAsksOnce)) _exit(kExitCancelled);
  const int saved_errno = errno;
  const int fd = g_wake_fd;
  if (fd >= 0 && ::write(fd, "", 1) != 1) errno = 0;  // a full pipe wakes as well
  errno = saved_errno;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  for (const int signal : kEndings) {
    struct sigaction inherited {};
    sigaction(signal, nullptr, &inherited);
    if (inherited.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // nohup has it ignored
  }
  std::signal(SIGPIPE, SIG_DFL);
}

InterruptScope::InterruptScope(Temper temper) : outer_(g_manner) {
  if (outer_ == kAsks || outer_ == kCleans) return;
  g_interrupted = false;
  g_manner = temper == Temper::cleaning ? kCleans : temper == Temper::patient ? kAsks : kAsksOnce;
}

InterruptScope::~InterruptScope() { g_manner = outer_; }

const std::atomic<bool>* InterruptScope::flag() const noexcept { return &g_interrupted; }
bool InterruptScope::take() noexcept { return g_interrupted.exchange(false); }

int interrupted_exit_code() noexcept { return 128 + g_signal; }

void wake_on_interrupt(int fd) noexcept { g_wake_fd = fd; }

}  // namespace xlstm::cli
