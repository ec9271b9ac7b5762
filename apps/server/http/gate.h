// What is checked of a request before its body is read and its handler runs.
#pragma once

#include <memory>
#include <optional>

#include "apps/server/http/access.h"
#include "apps/server/http/api_keys.h"
#include "apps/server/http/options.h"
#include "apps/server/http/request_parser.h"
#include "apps/server/http/router.h"

namespace xlstm::server {

struct GateOptions {
  BoundAddress bound;
  std::vector<std::string> allowed_hosts = {};
  std::vector<std::string> allowed_origins = {};
  std::size_t max_body_bytes = Limits{}.max_body_bytes;
};

struct Verdict {
  const Route* route = nullptr;        // the handler may run, or:
  std::optional<HttpResponse> answer;  // the answer, without a handler
  Headers headers = {};                // for every answer to this request
};

/// In this order: Host (421; not on a Unix socket, which no page can reach), Origin (403), CORS preflight (204), API
/// key (401), route (404, 405), Content-Length (413). Writes the route's parameters into the request.
Verdict judge(RequestHead& head, const GateOptions& options, const ApiKeys& keys, const Router& router, bool is_unix);

}  // namespace xlstm::server
