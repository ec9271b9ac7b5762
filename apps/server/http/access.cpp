#include "apps/server/http/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "apps/server/http/response_text.h"

namespace xlstm::server {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

/// The host of "https://name:port", its port filled in; nothing for "null" and the like.
std::optional<HostAndPort> host_of_origin(std::string_view origin) {
  for (const auto& [scheme, port] : {std::pair{"http://", 80}, std::pair{"https://", 443}}) {
    if (!origin.starts_with(scheme)) continue;
    auto host = parse_host(origin.substr(std::string_view(scheme).size()));
    if (host && !host->port) host->port = static_cast<std::uint16_t>(port);
    return host;
  }
  return std::nullopt;
}

bool is_same_origin(std::string_view origin, std::string_view host) {
  const auto from = host_of_origin(origin), to = parse_host(host);
  if (!from || !to || from->host != to->host) return false;
  // Behind a proxy that ends TLS the scheme of the page is not ours: without a port the host has the origin's default.
  return to->port ? to->port == from->port : from->port == 80 || from->port == 443;
}

}  // namespace

bool BoundAddress::is_wildcard() const { return host == "0.0.0.0" || host == "::"; }

bool BoundAddress::is_loopback() const {
  in_addr address = {};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24) == 127;
  return lower(host) == "localhost" || host == "::1";
}

std::optional<HostAndPort> parse_host(std::string_view text) {
  std::string_view host = text, rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  HostAndPort parsed{lower(host), std::nullopt};
  if (parsed.host.ends_with('.')) parsed.host.pop_back();
  if (parsed.host.empty() || parsed.host.find_first_of("/@?#[] ") != std::string::npos) return std::nullopt;
  if (rest.empty()) return parsed;
  parsed.port = rest[0] == ':' ? parse_port(rest.substr(1)) : std::nullopt;
  return parsed.port ? std::optional(parsed) : std::nullopt;
}

bool host_allowed(std::string_view host, const BoundAddress& bound, std::span<const std::string> allowed) {
  const auto asked = parse_host(host);
  if (!asked) return false;
  const std::uint16_t port = asked->port.value_or(bound.tls ? 443 : 80);
  for (const std::string& entry : allowed) {
    if (entry == "*") return true;
    const auto listed = parse_host(entry);
    if (listed && listed->host == asked->host && (!listed->port || *listed->port == port)) return true;
  }
  if (bound.is_wildcard() && is_address(asked->host)) return true;
  const bool local = asked->host == "localhost" || asked->host == "127.0.0.1" || asked->host == "::1";
  return (local || asked->host == lower(bound.host)) && port == bound.port;
}

OriginVerdict judge_origin(const HttpRequest& request, std::span<const std::string> allowed) {
  const auto origin = request.header("origin");
  if (!origin) return OriginVerdict::none;
  if (is_same_origin(*origin, request.header("host").value_or(""))) return OriginVerdict::same;
  for (const std::string& entry : allowed) {
    if (entry == "*" || entry == *origin) return OriginVerdict::allowed;
  }
  return OriginVerdict::refused;
}

Headers cors_headers(const HttpRequest& request) {
  return {{"access-control-allow-origin", std::string(request.header("origin").value_or(""))},
          {"access-control-expose-headers", "x-request-id, retry-after"},
          {"vary", "origin"}};
}

bool is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && request.header("origin") && request.header("access-control-request-method");
}

HttpResponse preflight_response(const HttpRequest& request, std::span<const std::string> methods) {
  HttpResponse response;
  response.status = 204;
  response.headers = {{"access-control-allow-methods", joined(methods)}, {"access-control-max-age", "600"}};
  if (const auto wanted = request.header("access-control-request-headers")) {
    response.headers.emplace_back("access-control-allow-headers", *wanted);
  }
  return response;
}

}  // namespace xlstm::server
