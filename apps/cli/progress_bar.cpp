#include "apps/cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace xlstm::cli {
namespace {

constexpr int kWidth = 30;
constexpr std::chrono::milliseconds kRedrawEvery{100};

}  // namespace

ProgressBar::ProgressBar(std::string label, double show_after_seconds)
    : label_(std::move(label)), show_after_seconds_(show_after_seconds), terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressBar::update(double fraction) {
  if (!terminal_) return;
  if (fraction >= 1) return clear();
  const auto now = std::chrono::steady_clock::now();
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double expected = fraction > 0 ? elapsed / fraction : elapsed;
  if (expected < show_after_seconds_ || (visible_ && now - drawn_ < kRedrawEvery)) return;
  drawn_ = now;
  draw(std::max(fraction, 0.0));
}

void ProgressBar::draw(double fraction) {
  const int filled = static_cast<int>(fraction * kWidth);
  const std::string bar =
      std::string(static_cast<std::size_t>(filled), '#') + std::string(static_cast<std::size_t>(kWidth - filled), '.');
  std::fprintf(stderr, "\r%s [%s] %3d%%", label_.c_str(), bar.c_str(), static_cast<int>(fraction * 100));
  std::fflush(stderr);
  visible_ = true;
}

void ProgressBar::clear() {
  if (!visible_) return;
  std::fputs("\r\x1b[K", stderr);  // to the start of the line, and erase it
  std::fflush(stderr);
  visible_ = false;
}

}  // namespace xlstm::cli
