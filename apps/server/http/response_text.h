// Answers as bytes: HTTP/1.1 heads and chunks.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/server/http/exchange.h"

namespace xlstm::server {

/// What the request decides about its answer's form.
struct Framing {
  bool http10 = false;  // REQUIRES: not keep_alive
  bool keep_alive = true;
  bool head_only = false;  // HEAD: no body
  std::string request_id;
  Headers headers = {};  // that every answer to it carries
};

std::string joined(std::span<const std::string> parts);  // "GET, HEAD"

/// With `content_length`, or without one: chunked; until the end of the connection for HTTP/1.0. Status 204 and 304
/// have neither. Errors: internal (a status outside 200..599, a header with a control character).
std::string head_text(const HttpResponse& head, std::optional<std::size_t> content_length, const Framing& framing);

/// One chunk of a chunked body (RFC 9112, 7.1). An empty part would be the end and is left out.
void append_chunk(std::string& text, std::string_view part);
constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace xlstm::server
