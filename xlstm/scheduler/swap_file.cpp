#include "xlstm/scheduler/swap_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/base/log.h"

namespace xlstm::scheduler {
namespace {

[[noreturn]] void fail_system(const std::string& where, const char* action) {
  fail(ErrorCode::internal, where, "cannot ", action, ": ", std::strerror(errno));
}

int open_nameless(const std::filesystem::path& directory) {
  std::string name = (directory / ".swap-XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) fail_system(directory.string(), "swap a state out");
  ::unlink(name.c_str());
  return fd;
}

}  // namespace

/// Used on the background's thread alone.
struct SwapFile::Content {
  std::filesystem::path directory;
  Values values;  // until they are written
  std::function<void()> written, gone;
  std::atomic<bool> wanted = true;
  int fd = -1;
  std::size_t floats = 0;
  std::string hash;

  ~Content() {
    if (fd >= 0) ::close(fd);
    if (values && written) written();
    gone();
  }

  void write() {
    if (!values || !wanted) return;
    const std::vector<float> slot = values();
    const auto bytes = std::as_bytes(std::span(slot));
    fd = open_nameless(directory);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t count = ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_system(directory.string(), "swap a state out");
      done += static_cast<std::size_t>(count);
    }
    floats = slot.size();
    hash = hash_hex(bytes);
    values = {};
    written();
  }

  std::vector<float> read() {
    if (values) return values();
    std::vector<float> slot(floats);
    const auto bytes = std::as_writable_bytes(std::span(slot));
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t count = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_system(directory.string(), "read a state that was swapped out");
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    if (hash_hex(bytes) != hash) {
      fail(ErrorCode::corrupt_file, directory.string(), "expected the state that was swapped out but got other bytes");
    }
    return slot;
  }
};

SwapFile::SwapFile(Background& background, const std::filesystem::path& directory, Values values,
                   std::function<void()> written, std::function<void()> gone)
    : background_(background), content_(std::make_shared<Content>()) {
  content_->directory = directory;
  content_->values = std::move(values);
  content_->written = std::move(written);
  content_->gone = std::move(gone);
  background_.post([content = content_] {
    try {
      content->write();
    } catch (const std::exception& error) {  // it stays in memory
      log(LogLevel::warning, "state cache: " + std::string(error.what()));
    }
  });
}

SwapFile::~SwapFile() {
  content_->wanted = false;
  background_.post([content = std::move(content_)]() mutable { content.reset(); });  // there it is used, there it ends
}

std::future<std::vector<float>> SwapFile::read() {
  auto values = std::make_shared<std::promise<std::vector<float>>>();
  std::future<std::vector<float>> future = values->get_future();
  background_.post(
      [content = content_, values] {
        try {
          values->set_value(content->read());
        } catch (...) {
          values->set_exception(std::current_exception());
        }
      },
      /*urgent=*/true);
  return future;
}

}  // namespace xlstm::scheduler
