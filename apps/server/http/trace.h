// What ties a request to a client's own records: x-request-id and W3C trace context.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xlstm::server {

/// `sent` if it is 1 to 64 of [A-Za-z0-9._-], else "req-" and 24 random hex digits.
std::string request_id(std::optional<std::string_view> sent);

struct TraceContext {
  std::string trace_id;   // 32 lower-case hex digits, not all zero
  std::string parent_id;  // 16 of them, not all zero
  bool sampled = false;
};

/// Nothing for a header that is malformed and so is to be ignored. W3C Trace Context, 3.2: version 00, and what later
/// versions share with it.
std::optional<TraceContext> parse_traceparent(std::string_view value);

}  // namespace xlstm::server
