// How a server is set up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace xlstm::server {

/// Each with the answer that a request beyond it gets.
struct Limits {
  std::size_t max_header_bytes = 32 << 10;               // 431
  std::size_t max_body_bytes = std::size_t{64} << 20;    // 413
  std::size_t max_connections = 4096;                    // 503, and closed at once
  std::size_t max_connections_per_address = 0;           // 503, and closed at once; 0: no limit
  std::size_t max_requests = 2048;                       // at once, all connections together: 503
  std::size_t max_pending_bytes = std::size_t{4} << 20;  // of a streamed answer that the client does not take: closed
  std::chrono::milliseconds header_time{10'000};         // from a request's first byte: 408
  std::chrono::milliseconds body_time{120'000};          // from the end of the head: 408
  std::chrono::milliseconds idle_time{75'000};           // between requests: closed
  std::chrono::milliseconds write_time{60'000};          // in which a client takes nothing: closed
  std::chrono::milliseconds linger_time{1'000};          // for the client to take the last answer of a connection
};

struct TlsFiles {
  std::filesystem::path certificate;  // PEM, with the chain
  std::filesystem::path key;          // PEM
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::optional<std::uint16_t> port = 8080;       // 0: any that is free; none: no TCP
  std::filesystem::path unix_socket = {};         // empty: none; mode 0600
  std::optional<TlsFiles> tls = {};               // TLS 1.2 and later, on the TCP port
  std::vector<std::string> keys = {};             // API keys, beside those of the file
  std::filesystem::path key_file = {};            // see read_key_file; empty: none
  std::vector<std::string> allowed_hosts = {};    // see host_allowed
  std::vector<std::string> allowed_origins = {};  // see judge_origin
  int worker_threads = 2;
  bool log_requests = true;
  Limits limits = {};
};

}  // namespace xlstm::server
