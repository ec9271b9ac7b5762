#include "xlstm/checkpoint/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/temporary_name.h"

namespace xlstm::checkpoint {
namespace {

constexpr std::size_t kMaxWrite = std::size_t{1} << 30;  // Linux writes at most 2 GiB - 4 KiB at once

// Large parts go to the disk while the next are being made, and not all at the end.
void start_writeback([[maybe_unused]] int fd, [[maybe_unused]] std::size_t offset, [[maybe_unused]] std::size_t size) {
#ifdef __linux__
  constexpr std::size_t kLarge = std::size_t{256} << 10;
  if (size >= kLarge) {
    ::sync_file_range(fd, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE);
  }
#endif
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path), temporary_(temporary_name(path)) {
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(path, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    refuse(ErrorCode::invalid_argument, path.string(), "expected a file to write but got ",
           std::filesystem::is_directory(status) ? "a directory" : "a device or a pipe");
  }
  remove_stale_temporaries(path, std::filesystem::file_type::regular);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_with_errno(ErrorCode::not_found, "create a file");
  lock_.take(temporary_);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_at(end_, bytes);
  end_ += bytes.size();
}

void AtomicFile::write_at(std::size_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), std::min(bytes.size(), kMaxWrite), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_with_errno(ErrorCode::internal, "write");
    start_writeback(fd_, offset, static_cast<std::size_t>(written));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail_with_errno(ErrorCode::internal, "sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno(ErrorCode::internal, "rename into place");
  ::close(fd_);
  fd_ = -1;
  sync_directory(directory_of(path_));
}

void AtomicFile::fail_with_errno(ErrorCode code, const char* action) const {
  refuse(code, path_.string(), "expected to ", action, " but got: ", std::strerror(errno));
}

}  // namespace xlstm::checkpoint
