// Refusals and faults as a client sees them: a status, and OpenAI's or Anthropic's form of an error object.
#pragma once

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

#include "apps/server/http/exchange.h"

namespace xlstm::server::api {

/// `param` and `code` are null in the answer when empty.
struct ApiError : std::runtime_error {
  ApiError(int http_status, std::string error_code, std::string parameter, const std::string& message)
      : std::runtime_error(message), status(http_status), code(std::move(error_code)), param(std::move(parameter)) {}

  int status;
  std::string code, param;
  std::optional<int> retry_after_seconds = {};
};

/// Whose client it is that reads the error.
enum class ErrorForm { openai, anthropic };

/// invalid_argument and unsupported 400, not_found 404, corrupt_file 422, overloaded 429 with Retry-After for a full
/// queue and 503 for want of memory. What is the server's own fault becomes a 500 that says nothing of its inside; the
/// message goes to the log with `request_id`.
ApiError to_api_error(const std::exception_ptr& error, const std::string& request_id);
/// Nobody waits for an answer to a cancelled request.
bool is_cancelled(const std::exception_ptr& error);

/// {"error": {"message", "type", "param", "code"}}, or {"type": "error", "error": {"type", "message"}}.
std::string error_body(const ApiError& error, ErrorForm form);
HttpResponse error_response(const ApiError& error, ErrorForm form);

/// `handler`, with what it throws as an answer in the client's form.
Handler with_errors(Handler handler, ErrorForm form);

}  // namespace xlstm::server::api
