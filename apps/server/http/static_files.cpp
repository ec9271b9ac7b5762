#include "apps/server/http/static_files.h"

#include <string>

namespace xlstm::server {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

Headers headers_of(const StaticFile& file) {
  return {{"etag", std::string(file.etag)},
          {"cache-control", "no-cache"},
          {"content-security-policy", std::string(kPolicy)},
          {"x-content-type-options", "nosniff"},
          {"x-frame-options", "DENY"},
          {"referrer-policy", "no-referrer"},
          {"cross-origin-opener-policy", "same-origin"},
          {"cross-origin-resource-policy", "same-origin"}};
}

bool client_has(const HttpRequest& request, std::string_view etag) {
  const auto known = request.header("if-none-match");
  return known && (*known == "*" || known->find(etag) != std::string_view::npos);
}

}  // namespace

void add_static_files(Router& router, std::span<const StaticFile> files) {
  for (const StaticFile& file : files) {
    const Handler handler = [file](const std::shared_ptr<Exchange>& exchange) {
      HttpResponse response;
      response.content_type = file.content_type;
      response.headers = headers_of(file);
      if (client_has(exchange->request(), file.etag)) {
        response.status = 304;
      } else {
        response.body = file.body;
      }
      exchange->respond(std::move(response));
    };
    router.add("GET /" + std::string(file.name), handler, Guard::open);
    if (file.name == "index.html") router.add("GET /", handler, Guard::open);
  }
}

}  // namespace xlstm::server
