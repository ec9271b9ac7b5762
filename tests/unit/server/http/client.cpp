#include "tests/unit/server/http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace xlstm::server {
namespace {

constexpr int kPatienceMs = 10'000;

int connected(int family, const void* address, socklen_t size) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::connect(fd, static_cast<const sockaddr*>(address), size) != 0) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    throw std::runtime_error("connect: " + reason);
  }
  return fd;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

Client::Client(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = connected(AF_INET, &address, sizeof(address));
}

Client::Client(const std::string& unix_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, unix_path.c_str(), sizeof(address.sun_path) - 1);
  fd_ = connected(AF_UNIX, &address, sizeof(address));
}

Client::~Client() { close(); }
Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), inbox_(std::move(other.inbox_)) {}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Client::abort() {
  const linger now = {1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Client::fill() {
  pollfd wait = {fd_, POLLIN, 0};
  if (::poll(&wait, 1, kPatienceMs) <= 0) throw std::runtime_error("the server says nothing");
  char buffer[65536];
  const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (count <= 0) return false;
  inbox_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::string Client::read_some() {
  if (inbox_.empty() && !fill()) return "";
  return std::exchange(inbox_, {});
}

bool Client::is_closed() {
  try {
    while (fill()) inbox_.clear();
  } catch (const std::runtime_error&) {
    return false;
  }
  return true;
}

Reply Client::read(bool head_only) {
  Reply reply;
  std::size_t end = 0;
  while ((end = inbox_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return reply;
  }
  const std::string head = inbox_.substr(0, end + 2);
  inbox_.erase(0, end + 4);
  reply.status = std::atoi(head.c_str() + std::min<std::size_t>(head.size(), 9));
  for (std::size_t line = head.find("\r\n") + 2; line < head.size(); line = head.find("\r\n", line) + 2) {
    const std::size_t colon = head.find(": ", line), stop = head.find("\r\n", line);
    reply.headers[lower(head.substr(line, colon - line))] = head.substr(colon + 2, stop - colon - 2);
  }
  if (head_only || reply.status < 200 || reply.status == 204 || reply.status == 304) {
    reply.complete = true;
  } else if (reply.headers.contains("content-length")) {
    const std::size_t length = std::stoul(reply.headers["content-length"]);
    while (inbox_.size() < length && fill()) {
    }
    reply.complete = inbox_.size() >= length;
    reply.body = inbox_.substr(0, length);
    inbox_.erase(0, length);
  } else if (reply.headers.contains("transfer-encoding")) {
    while (true) {
      std::size_t line = 0;
      while ((line = inbox_.find("\r\n")) == std::string::npos) {
        if (!fill()) return reply;
      }
      const std::size_t size = std::stoul(inbox_, nullptr, 16);
      while (inbox_.size() < line + 2 + size + 2) {
        if (!fill()) return reply;
      }
      reply.body += inbox_.substr(line + 2, size);
      inbox_.erase(0, line + 2 + size + 2);
      if (size == 0) break;
    }
    reply.complete = true;
  } else {
    while (fill()) {
    }
    reply.body = std::exchange(inbox_, {});
    reply.complete = true;
  }
  return reply;
}

std::string get(std::string_view path, std::uint16_t port, std::string_view headers) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port) + "\r\n" +
         std::string(headers) + "\r\n";
}

std::string post(std::string_view path, std::uint16_t port, std::string_view body, std::string_view headers) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" +
         std::string(body);
}

int count_open_files() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return static_cast<int>(std::distance(begin(files), end(files)));
}

}  // namespace xlstm::server
