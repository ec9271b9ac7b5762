// A client of plain POSIX sockets: it sends what it is told, right or wrong, and reads one answer at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace xlstm::server {

struct Reply {
  int status = 0;                              // 0: the connection ended before an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // chunks put together
  bool complete = false;  // the body has its length, its last chunk, or the end of the connection where that is its end
};

class Client {
 public:
  explicit Client(std::uint16_t port);
  explicit Client(const std::string& unix_path);
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept {
    std::swap(fd_, other.fd_);
    inbox_.swap(other.inbox_);
    return *this;
  }

  int fd() const { return fd_; }
  /// False if the other side is gone.
  bool send(std::string_view bytes);
  /// Up to 10 s. `head_only`: the answer to HEAD.
  Reply read(bool head_only = false);
  /// send() and read().
  Reply ask(std::string_view request) {
    send(request);
    return read();
  }
  /// Whether the other side has closed (or reset), within 10 s; what it sent before is passed over.
  bool is_closed();
  /// The next bytes, "" at the end.
  std::string read_some();
  /// With a reset instead of a FIN.
  void abort();
  void close();

 private:
  bool fill();
  int fd_ = -1;
  std::string inbox_;
};

/// "GET /path HTTP/1.1" with a Host header for `port` and more headers, each with its CR LF.
std::string get(std::string_view path, std::uint16_t port, std::string_view headers = "");
std::string post(std::string_view path, std::uint16_t port, std::string_view body, std::string_view headers = "");

int count_open_files();

}  // namespace xlstm::server
