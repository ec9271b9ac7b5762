#include "apps/server/http/site.h"

#include <cstdio>
#include <utility>

#include "apps/server/http/error_response.h"
#include "apps/server/http/trace.h"
#include "xlstm/base/log.h"

namespace xlstm::server {
namespace {

/// One line whatever a client sends: what is no printable ASCII is escaped.
std::string one_line(std::string_view text) {
  std::string line = "\"";
  for (const char c : text) {
    char escape[8] = {c, 0};
    if (c == '"' || c == '\\') std::snprintf(escape, sizeof(escape), "\\%c", c);
    if (c < 0x20 || c >= 0x7f) std::snprintf(escape, sizeof(escape), "\\x%02x", static_cast<unsigned char>(c));
    line += escape;
  }
  return line + '"';
}

void fail_request(Answer& answer, const HttpResponse& response, const std::string& why) {
  log(LogLevel::warning, "[http] request_id=" + answer.framing.request_id + " the handler failed: " + one_line(why));
  answer.fail_with(response);
}

}  // namespace

void run_handler(const Handler& handler, const std::shared_ptr<Answer>& answer, HttpRequest request) {
  if (answer->is_lost()) return;
  const HttpResponse unknown = error_response(Error(ErrorCode::internal, ""));
  // It outlives the handler, for else one that throws would have answered before it is asked why.
  const std::shared_ptr<Exchange> exchange = std::make_shared<ServerExchange>(answer, std::move(request));
  try {
    handler(exchange);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) return fail_request(*answer, unknown, error.what());
    answer->fail_with(error_response(error));
  } catch (const std::exception& error) {
    fail_request(*answer, unknown, error.what());
  } catch (...) {
    fail_request(*answer, unknown, "an exception of an unknown type");
  }
}

void log_access(const HttpRequest& request, const Answer& answer, double milliseconds) {
  char numbers[96];
  std::snprintf(numbers, sizeof(numbers), " status=%d bytes=%zu ms=%.1f request_id=", answer.status(),
                answer.sent_bytes(), milliseconds);
  std::string line =
      "method=" + one_line(request.method) + " path=" + one_line(request.path) + numbers + request.request_id;
  if (answer.is_lost()) line += " client=gone";
  if (const auto trace = parse_traceparent(request.header("traceparent").value_or(""))) {
    line += " trace_id=" + trace->trace_id;
  }
  log(LogLevel::info, "[http] " + line);
}

}  // namespace xlstm::server
