// Bytes of a connection -> requests: HTTP/1.0 and 1.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/server/http/exchange.h"
#include "apps/server/http/url.h"

namespace xlstm::server {

/// A request that cannot be read; the connection is of no use after its answer.
struct Refusal {
  int status;
  std::string message;
};

/// What is known of a request before its body.
struct RequestHead {
  HttpRequest request;  // without body and parameters; headers in order, names in lower case
  Target target;
  bool http10 = false;
  bool keep_alive = true;  // as the client wants it
  bool expects_continue = false;
  bool has_body = false;
  std::optional<std::uint64_t> content_length;
};

/// One request. A head is read when all of it is there, so that its size is exact; a body as it comes.
/// Thread safety: one thread at a time.
class RequestParser {
 public:
  RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  /// Takes a head from the front of `inbox`; nothing if it is not all there. Throws Refusal: 400, 431, 501, 505. A body
  /// that is too long is refused with 413 if `content_length` tells, or by take_body.
  std::optional<RequestHead> take_head(std::string& inbox);
  /// After the head. Takes what is there from the front of `inbox` and returns whether the body is complete. Throws
  /// Refusal: 400, 413.
  bool take_body(std::string& inbox);
  std::string body();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xlstm::server
