#include "apps/server/api/errors.h"

#include <new>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::server::api {
namespace {

constexpr int kQueueRetrySeconds = 1, kMemoryRetrySeconds = 5;

/// The queue's own refusal, unlike those of memory, tells of requests that wait (Service::submit).
bool is_full_queue(std::string_view message) { return message.find("waiting requests") != std::string_view::npos; }

ApiError overloaded(const std::string& message) {
  const bool queue = is_full_queue(message);
  ApiError made(queue ? 429 : 503, queue ? "queue_full" : "no_memory", "", message);
  made.retry_after_seconds = queue ? kQueueRetrySeconds : kMemoryRetrySeconds;
  return made;
}

ApiError hidden(const std::string& message, const std::string& request_id) {
  log(LogLevel::warning, "request " + request_id + " failed: " + message);
  return {500, "internal_error", "", "the server failed; its log tells more of request " + request_id};
}

ApiError of_library(const Error& error, const std::string& request_id) {
  switch (error.code()) {
    case ErrorCode::invalid_argument:
      return {400, "invalid_value", "", error.what()};
    case ErrorCode::unsupported:
      return {400, "unsupported_value", "", error.what()};
    case ErrorCode::not_found:
      return {404, "not_found", "", error.what()};
    case ErrorCode::corrupt_file:
      return {422, "corrupt_file", "", error.what()};
    case ErrorCode::overloaded:
      return overloaded(error.what());
    case ErrorCode::cancelled:
      return {499, "cancelled", "", error.what()};
    case ErrorCode::internal:
      break;
  }
  return hidden(error.what(), request_id);
}

const char* openai_type(int status) {
  if (status == 401) return "authentication_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

const char* anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

nlohmann::ordered_json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

}  // namespace

ApiError to_api_error(const std::exception_ptr& error, const std::string& request_id) {
  try {
    std::rethrow_exception(error);
  } catch (const ApiError& known) {
    return known;
  } catch (const Error& known) {
    return of_library(known, request_id);
  } catch (const std::bad_alloc&) {
    return overloaded("no memory for the request");
  } catch (const std::exception& unknown) {
    return hidden(unknown.what(), request_id);
  } catch (...) {
    return hidden("something that is no exception", request_id);
  }
}

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return known.code() == ErrorCode::cancelled;
  } catch (...) {
    return false;
  }
}

std::string error_body(const ApiError& error, ErrorForm form) {
  using Json = nlohmann::ordered_json;
  const Json body =
      form == ErrorForm::openai
          ? Json{{"error",
                  {{"message", error.what()},
                   {"type", openai_type(error.status)},
                   {"param", text_or_null(error.param)},
                   {"code", text_or_null(error.code)}}}}
          : Json{{"type", "error"}, {"error", {{"type", anthropic_type(error.status)}, {"message", error.what()}}}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse error_response(const ApiError& error, ErrorForm form) {
  HttpResponse response;
  response.status = error.status;
  response.body = error_body(error, form);
  if (error.retry_after_seconds)
    response.headers.emplace_back("Retry-After", std::to_string(*error.retry_after_seconds));
  return response;
}

Handler with_errors(Handler handler, ErrorForm form) {
  return [handler = std::move(handler), form](std::shared_ptr<Exchange> exchange) {
    try {
      handler(exchange);
    } catch (...) {
      exchange->respond(error_response(to_api_error(std::current_exception(), exchange->request().request_id), form));
    }
  };
}

}  // namespace xlstm::server::api
