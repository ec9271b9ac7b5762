#include "xlstm/checkpoint/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// Unique among the writers of this machine.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return directory_of(path) /
         ('.' + path.filename().string() + '.' + std::to_string(::getpid()) + '.' + std::to_string(counter++) + ".tmp");
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path), temporary_(temporary_name(path)) {
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(path, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    refuse(ErrorCode::invalid_argument, path.string(), "expected a file to write but got ",
           std::filesystem::is_directory(status) ? "a directory" : "a device or a pipe");
  }
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_with_errno(ErrorCode::not_found, "create a file");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t kMaxWrite = std::size_t{1} << 30;  // Linux writes at most 2 GiB - 4 KiB at once
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxWrite));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_with_errno(ErrorCode::internal, "write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail_with_errno(ErrorCode::internal, "sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno(ErrorCode::internal, "rename into place");
  ::close(fd_);
  fd_ = -1;
  // The rename itself is durable once the directory is; a file system that cannot sync one has still renamed.
  const int directory = ::open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  ::fsync(directory);
  ::close(directory);
}

void AtomicFile::fail_with_errno(ErrorCode code, const char* action) const {
  refuse(code, path_.string(), "expected to ", action, " but got: ", std::strerror(errno));
}

}  // namespace xlstm::checkpoint
