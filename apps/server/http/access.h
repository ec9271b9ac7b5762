// What a request's Host and Origin may be: pages of other sites must not reach a server on this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/server/http/exchange.h"

namespace xlstm::server {

/// Where the server can be reached, as far as it knows.
struct BoundAddress {
  std::string host;  // as it was given: a name or an address, without brackets
  std::uint16_t port = 0;
  bool tls = false;

  bool is_wildcard() const;  // 0.0.0.0, ::
  bool is_loopback() const;  // localhost, 127.x.x.x, ::1
};

struct HostAndPort {
  std::string host;  // lower case, without brackets and without a dot at the end
  std::optional<std::uint16_t> port;
};
/// "name", "name:8080", "[::1]:8080"; nothing if it is none of them.
std::optional<HostAndPort> parse_host(std::string_view text);

/// Whether a Host header names this server: "localhost", the loopback addresses or the bound host, with the bound port;
/// any literal address if the server is bound to all (DNS rebinding needs a name); or an entry of `allowed`: "*",
/// "name" (any port), "name:port".
bool host_allowed(std::string_view host, const BoundAddress& bound, std::span<const std::string> allowed);

enum class OriginVerdict {
  none,     // no Origin header: no page of another site
  same,     // the origin is the host that was asked
  allowed,  // an entry of the list: gets CORS headers
  refused,
};
/// `allowed`: entries of the form "https://name:port", or "*".
OriginVerdict judge_origin(const HttpRequest& request, std::span<const std::string> allowed);

/// What an allowed origin's answer carries. REQUIRES: the request has an Origin header.
Headers cors_headers(const HttpRequest& request);
/// Whether it is a CORS preflight (Fetch standard, 3.2.2), and its answer; `methods` are those of the path.
bool is_preflight(const HttpRequest& request);
HttpResponse preflight_response(const HttpRequest& request, std::span<const std::string> methods);

}  // namespace xlstm::server
