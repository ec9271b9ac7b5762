#include "apps/cli/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "apps/cli/exit_codes.h"

namespace xlstm::cli {
namespace {

std::atomic<bool> g_interrupted{false};
std::atomic<bool> g_scope_lives{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler touches them

extern "C" void on_interrupt(int) {
  if (!g_scope_lives || g_interrupted.exchange(true)) _exit(kExitCancelled);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
}

InterruptScope::InterruptScope() {
  g_interrupted = false;
  g_scope_lives = true;
}

InterruptScope::~InterruptScope() { g_scope_lives = false; }

const std::atomic<bool>* InterruptScope::flag() const noexcept { return &g_interrupted; }

}  // namespace xlstm::cli
