#include "xlstm/checkpoint/stale_temporary.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/temporary_name.h"

namespace xlstm::checkpoint {
namespace {

namespace fs = std::filesystem;

// Another machine, or another container, may share the directory: then the number says nothing, but the lock does.
bool may_be_running(pid_t process) { return ::kill(process, 0) == 0 || errno != ESRCH; }

void remove_stale(const fs::path& temporary) {
  std::error_code error;
  fs::remove_all(temporary, error);
  const std::string what = "what a killed process has left in " + temporary.string();
  log(LogLevel::warning,
      one_line(error ? "could not remove " + what + ": " + error.message() : "removed " + what, 1000));
}

}  // namespace

TemporaryLock::~TemporaryLock() {
  if (fd_ >= 0) ::close(fd_);
}

bool TemporaryLock::take(const fs::path& temporary) noexcept {
  fd_ = ::open(temporary.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  return fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
}

void remove_stale_temporaries(const fs::path& path, fs::file_type type) {
  std::error_code error;
  for (fs::directory_iterator entry(directory_of(path), error), end; !error && entry != end; entry.increment(error)) {
    const auto process = process_of_temporary_name(entry->path(), path);
    std::error_code none;
    if (!process || may_be_running(*process) || entry->symlink_status(none).type() != type) continue;
    TemporaryLock lock;
    if (lock.take(entry->path())) remove_stale(entry->path());
  }
}

}  // namespace xlstm::checkpoint
