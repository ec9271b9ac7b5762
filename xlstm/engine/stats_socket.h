// Where a running engine can be watched: a Unix socket that sends a line of JSON a second to whoever connects.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "xlstm/scheduler/stats.h"

namespace xlstm::engine {

/// One object of plain numbers; histograms as {"count", "sum", "p50", "p90", "p99"} in seconds.
std::string stats_json(const scheduler::Stats& stats);

/// Readable by its owner only; nothing that is sent to it is read. The socket's file goes with it.
class StatsSocket {
 public:
  /// `source` is called on the socket's own thread, once a second while somebody is connected. Errors: invalid_argument
  /// (a path that is too long for a socket, or where something is that is no dead socket), not_found (with the
  /// system's reason).
  StatsSocket(std::filesystem::path path, std::function<scheduler::Stats()> source);
  ~StatsSocket();
  StatsSocket(const StatsSocket&) = delete;
  StatsSocket& operator=(const StatsSocket&) = delete;

 private:
  void serve();

  std::filesystem::path path_;
  std::function<scheduler::Stats()> source_;
  int listener_ = -1, wake_[2] = {-1, -1};
  std::thread thread_;
};

/// The other side: calls on_line with each line until it returns false. Errors: not_found (nobody listens there, with
/// the system's reason).
void read_stats(const std::filesystem::path& path, const std::function<bool(const std::string& line)>& on_line);

}  // namespace xlstm::engine
