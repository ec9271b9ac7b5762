#include "apps/server/http/gate.h"

#include <utility>

#include "apps/server/http/error_response.h"
#include "apps/server/http/response_text.h"

namespace xlstm::server {
namespace {

HttpResponse unauthorized(const HttpRequest& request) {
  const bool sent = request.header("authorization") || request.header("x-api-key");
  HttpResponse response = error_response(
      401, sent ? "the API key is not one of this server's" : "expected an API key: \"Authorization: Bearer KEY\"",
      "invalid_api_key");
  response.headers.emplace_back("www-authenticate", "Bearer");
  return response;
}

HttpResponse not_allowed(const HttpRequest& request, const std::vector<std::string>& methods) {
  HttpResponse response = error_response(
      405, "expected one of the methods " + joined(methods) + " for " + request.path + " but got " + request.method);
  if (request.method == "OPTIONS") response.status = 204;
  response.headers.emplace_back("allow", joined(methods));
  return response;
}

}  // namespace

Verdict judge(RequestHead& head, const GateOptions& options, const ApiKeys& keys, const Router& router, bool is_unix) {
  HttpRequest& request = head.request;
  const auto host = request.header("host");
  if (!is_unix && host && !host_allowed(*host, options.bound, options.allowed_hosts)) {
    return {nullptr, error_response(421, "the Host header does not name this server", "host_not_allowed")};
  }
  const OriginVerdict origin = judge_origin(request, options.allowed_origins);
  if (origin == OriginVerdict::refused) {
    return {nullptr, error_response(403, "pages of this origin may not use this server", "origin_not_allowed")};
  }
  Verdict verdict;
  if (origin == OriginVerdict::allowed) verdict.headers = cors_headers(request);
  RouteMatch match = router.match(request.method, head.target.raw_path);
  const bool open = match.route != nullptr && match.route->guard == Guard::open;
  if (is_preflight(request) && !match.allowed.empty()) {
    verdict.answer = preflight_response(request, match.allowed);
  } else if (!open && !keys.accept(request)) {
    verdict.answer = unauthorized(request);
  } else if (match.allowed.empty()) {
    verdict.answer = error_response(404, "there is no " + request.path, "unknown_url");
  } else if (match.route == nullptr) {
    verdict.answer = not_allowed(request, match.allowed);
  } else if (head.content_length.value_or(0) > options.max_body_bytes) {
    verdict.answer = error_response(413, "expected a body of at most " + std::to_string(options.max_body_bytes) +
                                             " bytes but got " + std::to_string(*head.content_length));
  } else {
    request.parameters = std::move(match.parameters);
    verdict.route = match.route;
  }
  return verdict;
}

}  // namespace xlstm::server
