#include "apps/server/http/response_text.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

void append_header(std::string& text, std::string_view name, std::string_view value) {
  const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (name.empty() || std::any_of(name.begin(), name.end(), is_control) || name.find_first_of(": \t") != name.npos ||
      std::any_of(value.begin(), value.end(), is_control)) {
    fail(ErrorCode::internal, "response", "expected a header without control characters but got one in \"", name, "\"");
  }
  text.append(name).append(": ").append(value).append("\r\n");
}

/// RFC 9110, 5.6.7.
std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

std::string joined(std::span<const std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text.append(text.empty() ? "" : ", ").append(part);
  return text;
}

std::string head_text(const HttpResponse& head, std::optional<std::size_t> content_length, const Framing& framing) {
  if (head.status < 200 || head.status > 599) {
    fail(ErrorCode::internal, "response", "expected a status of 200 to 599 but got ", head.status);
  }
  const bool has_body = head.status != 204 && head.status != 304;
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " ";
  text.append(reason_of(head.status)).append("\r\n");
  append_header(text, "date", http_date());
  if (has_body) append_header(text, "content-type", head.content_type);
  if (has_body && content_length) append_header(text, "content-length", std::to_string(*content_length));
  if (has_body && !content_length && !framing.http10) append_header(text, "transfer-encoding", "chunked");
  if (!framing.keep_alive) append_header(text, "connection", "close");
  append_header(text, "x-request-id", framing.request_id);
  for (const auto& [name, value] : framing.headers) append_header(text, name, value);
  for (const auto& [name, value] : head.headers) append_header(text, name, value);
  return text += "\r\n";
}

void append_chunk(std::string& text, std::string_view part) {
  if (part.empty()) return;
  char size[16];
  const auto end = std::to_chars(size, size + sizeof(size), part.size(), 16).ptr;
  text.append(size, end).append("\r\n").append(part).append("\r\n");
}

}  // namespace xlstm::server
