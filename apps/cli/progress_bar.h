// A bar on standard error, only when that is a terminal.
#pragma once

#include <chrono>
#include <string>

namespace xlstm::cli {

/// Appears when the work takes, or is on its way to take, more than `show_after_seconds`; gone without a trace when
/// done.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label, double show_after_seconds = 0);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// fraction in [0, 1]; 1 clears the bar.
  void update(double fraction);
  void clear();

 private:
  void draw(double fraction);

  std::string label_;
  double show_after_seconds_;
  bool terminal_;
  bool visible_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace xlstm::cli
