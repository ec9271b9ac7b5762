#include "xlstm/engine/stats_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/unix_socket.h"

namespace xlstm::engine {
namespace {

constexpr std::chrono::milliseconds kInterval{1000};

[[noreturn]] void fail_system(const std::filesystem::path& path, std::string_view what) {
  fail(ErrorCode::not_found, path.string(), "expected to ", what, " but got \"", std::strerror(errno), "\"");
}

int new_socket(const std::filesystem::path& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_system(path, "make a socket");
  return fd;
}

bool connects(int fd, const sockaddr_un& address) {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

nlohmann::ordered_json histogram_json(const scheduler::Histogram& histogram) {
  return {{"count", histogram.count()},
          {"sum", histogram.sum()},
          {"p50", histogram.quantile(0.5)},
          {"p90", histogram.quantile(0.9)},
          {"p99", histogram.quantile(0.99)}};
}

}  // namespace

std::string stats_json(const scheduler::Stats& stats) {
  return nlohmann::ordered_json{{"running", stats.running},
                                {"waiting", stats.waiting},
                                {"rows", stats.rows},
                                {"submitted", stats.submitted},
                                {"refused", stats.refused},
                                {"completed", stats.completed},
                                {"cancelled", stats.cancelled},
                                {"failed", stats.failed},
                                {"drained", stats.drained},
                                {"steps", stats.steps},
                                {"prefill_tokens", stats.prefill_tokens},
                                {"decode_tokens", stats.decode_tokens},
                                {"generated_tokens", stats.generated_tokens},
                                {"preemptions", stats.preemptions},
                                {"cache_queries", stats.cache_queries},
                                {"cache_hits", stats.cache_hits},
                                {"cached_tokens", stats.cached_tokens},
                                {"cache_evictions", stats.cache_evictions},
                                {"cached_snapshots", stats.cached_snapshots},
                                {"cache_bytes", stats.cache_bytes},
                                {"state_bytes", stats.state_bytes},
                                {"max_state_bytes", stats.max_state_bytes},
                                {"state_copies", stats.state_copies},
                                {"state_forks", stats.state_forks},
                                {"swaps_out", stats.swaps_out},
                                {"swaps_in", stats.swaps_in},
                                {"worker_tokens", stats.worker_tokens},
                                {"worker_faults", stats.worker_faults},
                                {"restores", stats.restores},
                                {"restored_tokens", stats.restored_tokens},
                                {"disk_snapshots", stats.store.snapshots},
                                {"disk_bytes", stats.store.bytes},
                                {"max_disk_bytes", stats.store.max_bytes},
                                {"disk_writes", stats.store.writes},
                                {"disk_reads", stats.store.reads},
                                {"disk_evictions", stats.store.evictions},
                                {"disk_dropped", stats.store.dropped},
                                {"disk_damaged", stats.store.damaged},
                                {"queue_seconds", histogram_json(stats.queue_seconds)},
                                {"first_token_seconds", histogram_json(stats.first_token_seconds)},
                                {"inter_token_seconds", histogram_json(stats.inter_token_seconds)},
                                {"request_seconds", histogram_json(stats.request_seconds)}}
      .dump();
}

StatsSocket::StatsSocket(std::filesystem::path path, std::function<scheduler::Stats()> source)
    : path_(std::move(path)), source_(std::move(source)) {
  const sockaddr_un address = unix_address(path_);
  remove_dead_socket(path_);
  listener_ = new_socket(path_);
  // The mode of the file comes from the umask of the moment; connecting needs the right to write.
  const mode_t before = ::umask(0177);
  const bool bound = ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  ::umask(before);
  if (!bound || ::listen(listener_, 16) != 0 || ::pipe2(wake_, O_CLOEXEC) != 0) {
    const int reason = errno;
    ::close(listener_);
    errno = reason;
    fail_system(path_, "listen there");
  }
  thread_ = std::thread([this] { serve(); });
}

StatsSocket::~StatsSocket() {
  ::close(wake_[1]);  // the thread sees the end of the pipe
  thread_.join();
  ::close(wake_[0]);
  ::close(listener_);
  ::unlink(path_.c_str());
}

void StatsSocket::serve() {
  std::vector<int> clients;
  auto next = std::chrono::steady_clock::now();
  while (true) {
    pollfd waits[2] = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    const int timeout = clients.empty() ? -1 : static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    ::poll(waits, 2, timeout);
    if (waits[0].revents != 0) break;
    const bool joined = (waits[1].revents & POLLIN) != 0;
    if (joined) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client >= 0) clients.push_back(client);
    }
    if (!joined && std::chrono::steady_clock::now() < next) continue;
    const std::string line = clients.empty() ? "" : stats_json(source_()) + "\n";
    // A client that does not keep up, or is gone, is let go: nothing here may wait for it.
    std::erase_if(clients, [&](int client) {
      if (::send(client, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) return false;
      ::close(client);
      return true;
    });
    next = std::chrono::steady_clock::now() + kInterval;
  }
  for (const int client : clients) ::close(client);
}

void read_stats(const std::filesystem::path& path, const std::function<bool(const std::string& line)>& on_line) {
  const sockaddr_un address = unix_address(path);
  const int fd = new_socket(path);
  if (!connects(fd, address)) {
    const int reason = errno;
    ::close(fd);
    errno = reason;
    fail_system(path, "reach a running xlstm");
  }
  std::string text;
  char buffer[4096];
  for (bool goes_on = true; goes_on;) {
    const ssize_t count = ::read(fd, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t end = 0; goes_on && (end = text.find('\n')) != std::string::npos;) {
      goes_on = on_line(text.substr(0, end));
      text.erase(0, end + 1);
    }
  }
  ::close(fd);
}

}  // namespace xlstm::engine
