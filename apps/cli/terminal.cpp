#include "apps/cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

// What the signal handlers use: written before they are installed, but for the flags.
termios g_found, g_kept;
std::array<int, 2> g_wake{-1, -1};
std::atomic<bool> g_resumed{false}, g_resized{false};

constexpr int kOnce = SA_RESETHAND | SA_NODEFER;  // so that raise() in a handler does what the signal does

/// In the background the terminal is somebody else's, and setting its mode would stop the program.
bool in_foreground() { return tcgetpgrp(STDIN_FILENO) == getpgrp(); }

void wake() {
  if (::write(g_wake[1], "", 1) != 1) errno = 0;  // a full pipe wakes as well
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

/// Ends the program, as the signal would have done.
extern "C" void on_end(int signal) {
  if (in_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &g_found);
  raise(signal);
}

extern "C" void on_resume(int) {
  const int saved_errno = errno;
  if (in_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &g_kept);
  g_resumed = true;
  wake();
  errno = saved_errno;
}

extern "C" void on_stop(int signal) {
  const int saved_errno = errno;
  if (in_foreground()) tcsetattr(STDIN_FILENO, TCSANOW, &g_found);
  raise(signal);  // stops here; where nobody could bring it back (no shell) it does not
  handle(signal, on_stop, SA_RESTART | kOnce);
  on_resume(SIGCONT);
  errno = saved_errno;
}

extern "C" void on_resize(int) {
  const int saved_errno = errno;
  g_resized = true;
  wake();
  errno = saved_errno;
}

struct Handled {
  int signal;
  void (*handler)(int);
  int flags;
};
constexpr std::array<Handled, 6> kHandled{{{SIGTERM, on_end, kOnce},
                                           {SIGHUP, on_end, kOnce},
                                           {SIGQUIT, on_end, kOnce},
                                           {SIGTSTP, on_stop, SA_RESTART | kOnce},
                                           {SIGCONT, on_resume, SA_RESTART},
                                           {SIGWINCH, on_resize, SA_RESTART}}};
std::array<struct sigaction, kHandled.size()> g_before;

}  // namespace

Terminal::Terminal() {
  if (tcgetattr(STDIN_FILENO, &g_found) != 0 || pipe2(g_wake.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    fail(ErrorCode::internal, "terminal", "expected to read its mode but got: ", std::strerror(errno));
  }
  g_kept = g_found;
  g_resumed = g_resized = false;
  wake_on_interrupt(g_wake[1]);
  for (std::size_t i = 0; i < kHandled.size(); ++i) {
    sigaction(kHandled[i].signal, nullptr, &g_before[i]);
    if (g_before[i].sa_handler != SIG_IGN) handle(kHandled[i].signal, kHandled[i].handler, kHandled[i].flags);
  }
}

Terminal::~Terminal() {
  for (std::size_t i = 0; i < kHandled.size(); ++i) sigaction(kHandled[i].signal, &g_before[i], nullptr);
  wake_on_interrupt(-1);
  for (int& fd : g_wake) ::close(std::exchange(fd, -1));
}

void Terminal::keep_mode() { tcgetattr(STDIN_FILENO, &g_kept); }

Terminal::Event Terminal::wait() {
  for (;;) {
    if (interrupts_.take()) return Event::interrupt;
    if (g_resumed.exchange(false)) {
      // In the background this stops the program until it is brought back.
      tcsetattr(STDIN_FILENO, TCSADRAIN, &g_kept);
      return Event::resumed;
    }
    if (g_resized.exchange(false)) return Event::resized;
    std::array<pollfd, 2> fds{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{g_wake[0], POLLIN, 0}};
    if (poll(fds.data(), fds.size(), -1) < 0) continue;  // EINTR: a flag says why
    if (fds[1].revents != 0) {
      char bytes[64];
      while (::read(g_wake[0], bytes, sizeof bytes) > 0) {
      }
    } else if (fds[0].revents != 0) {
      return Event::key;
    }
  }
}

}  // namespace xlstm::cli
