#include "apps/server/http/error_response.h"

#include <nlohmann/json.hpp>

namespace xlstm::server {
namespace {

std::string_view type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::unsupported:  // not 501: clients try again what begins with 5
    case ErrorCode::corrupt_file:
      return 400;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::overloaded:
      return 503;
    case ErrorCode::cancelled:
      return 499;
    case ErrorCode::internal:
      break;
  }
  return 500;
}

}  // namespace

HttpResponse error_response(int status, std::string_view message, std::string_view code) {
  nlohmann::ordered_json error = {
      {"message", message}, {"type", type_of(status)}, {"param", nullptr}, {"code", nullptr}};
  if (!code.empty()) error["code"] = code;
  HttpResponse response;
  response.status = status;
  response.body = nlohmann::ordered_json{{"error", std::move(error)}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (status == 429 || status == 503) response.headers.emplace_back("retry-after", "1");
  return response;
}

HttpResponse error_response(const Error& error) {
  const int status = status_of(error.code());
  return error_response(status, status == 500 ? "an internal error; the server's log tells more" : error.what());
}

}  // namespace xlstm::server
