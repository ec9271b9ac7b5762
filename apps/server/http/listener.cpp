#include "apps/server/http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/unix_socket.h"

namespace xlstm::server {
namespace {

constexpr int kBacklog = 4096;

[[noreturn]] void fail_system(const std::string& where, const char* what, int reason = errno) {
  fail(ErrorCode::not_found, where, "expected to ", what, " but got \"", std::strerror(reason), "\"");
}

int new_socket(const std::string& where, int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) fail_system(where, "make a socket");
  return fd;
}

bool listens(int fd, const sockaddr* address, socklen_t size) {
  return ::bind(fd, address, size) == 0 && ::listen(fd, kBacklog) == 0;
}

}  // namespace

Listener Listener::tcp(const std::string& host, std::uint16_t port) {
  const std::string where = host + ":" + std::to_string(port);
  addrinfo hints = {}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    fail(ErrorCode::invalid_argument, where, "expected the address of a network interface but got \"",
         ::gai_strerror(error), "\"");
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  int reason = EADDRNOTAVAIL;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (listens(fd, address->ai_addr, address->ai_addrlen)) return {fd, {}};
    reason = errno;
    ::close(fd);
  }
  fail_system(where, "listen there", reason);
}

Listener Listener::unix_socket(const std::filesystem::path& path) {
  const sockaddr_un address = unix_address(path);
  remove_dead_socket(path);
  const int fd = new_socket(path.string(), AF_UNIX);
  // The mode of the file comes from the umask of the moment; connecting needs the right to write.
  const mode_t before = ::umask(0177);
  const bool good = listens(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int reason = errno;
  ::umask(before);
  if (!good) {
    ::close(fd);
    fail_system(path.string(), "listen there", reason);
  }
  return {fd, path};
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::exchange(other.path_, {})) {}

Listener::~Listener() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

std::uint16_t Listener::port() const {
  sockaddr_storage address = {};
  socklen_t size = sizeof(address);
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

}  // namespace xlstm::server
