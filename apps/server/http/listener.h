// Sockets that listen.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace xlstm::server {

/// An open, non-blocking listening socket; a Unix socket's file goes with it.
class Listener {
 public:
  /// Port 0: any. Errors: invalid_argument (no such host), not_found (with the system's reason).
  static Listener tcp(const std::string& host, std::uint16_t port);
  /// Only its owner may connect (mode 0600). A socket that nobody listens on is replaced. Errors: invalid_argument (a
  /// path that is too long, or where something else is), not_found (with the system's reason).
  static Listener unix_socket(const std::filesystem::path& path);
  ~Listener();
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;

  int fd() const noexcept { return fd_; }
  std::uint16_t port() const;  // of TCP, else 0
  bool is_unix() const noexcept { return !path_.empty(); }

 private:
  Listener(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::filesystem::path path_;
};

}  // namespace xlstm::server
