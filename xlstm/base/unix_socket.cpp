#include "xlstm/base/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "xlstm/base/error.h"

namespace xlstm {

sockaddr_un unix_address(const std::filesystem::path& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.native().empty() || path.native().size() >= sizeof(address.sun_path)) {
    fail(ErrorCode::invalid_argument, path.string(), "expected a path of 1 to ", sizeof(address.sun_path) - 1,
         " bytes for a socket but got ", path.native().size());
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

void remove_dead_socket(const std::filesystem::path& path) {
  const sockaddr_un address = unix_address(path);
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    fail(ErrorCode::not_found, path.string(), "expected to make a socket but got \"", std::strerror(errno), "\"");
  const bool connects = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  const bool dead = S_ISSOCK(status.st_mode) && !connects && errno == ECONNREFUSED;
  ::close(fd);
  if (!dead) {
    fail(ErrorCode::invalid_argument, path.string(),
         "expected a path where nothing is, or a socket that is not in use");
  }
  ::unlink(path.c_str());
}

}  // namespace xlstm
