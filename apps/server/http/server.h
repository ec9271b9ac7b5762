// The HTTP server: sockets, limits, who may ask; what is answered is the router's.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "apps/server/http/options.h"
#include "apps/server/http/router.h"

namespace xlstm::server {

/// One io thread, and worker threads on which handlers run. Thread safety: all methods, but none from a handler or a
/// callback.
class Server {
 public:
  struct Counts {
    std::size_t connections, requests;  // open; whose answer has not ended
  };

  /// Listens when it returns; `router` must outlive the server. Raises the process's soft limit of open files as far as
  /// its connections need. Errors: invalid_argument (no key for an address that others reach, options that make no
  /// sense), not_found (address, socket or file, with the system's reason), and those of read_key_file.
  static std::unique_ptr<Server> start(const ServerOptions& options, const Router& router);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const noexcept;  // of TCP, else 0
  Counts counts() const;

  /// Reads the key file, or certificate and key, again; connections keep what they have. On an error, which is thrown,
  /// all stays as it was.
  void reload_keys();
  void reload_tls();

  /// New connections are refused by the system from here on; the Unix socket's file is gone.
  void stop_accepting();
  /// Stops accepting, closes idle connections and the others behind their answers. Returns whether all were gone in
  /// time.
  bool drain(std::chrono::milliseconds time);
  /// Closes what is left, waits for running handlers and ends the threads. Exchanges that are still held drop what is
  /// written.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xlstm::server
