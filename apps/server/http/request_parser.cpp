#include "apps/server/http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>
#include <utility>

#include "apps/server/http/trace.h"
#include "xlstm/base/error.h"

namespace xlstm::server {
namespace http = boost::beast::http;
namespace {

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

[[noreturn]] void refuse(const boost::system::error_code& error) {
  if (error == http::error::body_limit) throw Refusal{413, "the body is longer than this server takes"};
  if (error == http::error::bad_version) throw Refusal{505, "expected HTTP/1.0 or HTTP/1.1"};
  throw Refusal{400, "expected an HTTP request but got: " + error.message()};
}

std::size_t count(const HttpRequest& request, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(request.headers.begin(), request.headers.end(),
                                                [&](const auto& header) { return header.first == name; }));
}

/// What the parser accepts and this server does not: what proxies and we might read in two ways.
void check_framing(const RequestHead& head) {
  const HttpRequest& request = head.request;
  if (const std::size_t codings = count(request, "transfer-encoding"); codings > 0) {
    if (head.http10) throw Refusal{400, "expected no Transfer-Encoding in HTTP/1.0"};
    if (codings > 1 || lower(*request.header("transfer-encoding")) != "chunked") {
      throw Refusal{501, "expected no Transfer-Encoding but \"chunked\""};
    }
  }
  if (count(request, "content-length") > 1) throw Refusal{400, "expected one Content-Length"};
  const std::size_t hosts = count(request, "host");
  if (hosts > 1 || (hosts == 0 && !head.http10)) throw Refusal{400, "expected one Host header"};
  if (!head.target.authority.empty() && lower(head.target.authority) != lower(request.header("host").value_or(""))) {
    throw Refusal{400, "expected a Host header that is the host of the request line"};
  }
}

void check_expectation(RequestHead& head) {
  const auto expected = head.request.header("expect");
  if (!expected || head.http10) return;
  if (lower(*expected) != "100-continue") throw Refusal{417, "expected no Expect but \"100-continue\""};
  head.expects_continue = true;
}

}  // namespace

struct RequestParser::Impl {
  Impl(std::size_t max_header, std::size_t max_body) : max_header_bytes(max_header), max_body_bytes(max_body) {
    parser.header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(max_header, 1u << 30)) + 1);
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  RequestHead head() const {
    const auto& message = parser.get();
    RequestHead head;
    head.http10 = message.version() == 10;
    head.keep_alive = parser.keep_alive();
    head.has_body = !parser.is_done();
    if (const auto length = parser.content_length()) head.content_length = *length;
    head.request.method = view(message.method_string());
    for (const auto& field : message) {
      head.request.headers.emplace_back(lower(view(field.name_string())), view(field.value()));
    }
    head.request.request_id = request_id(head.request.header("x-request-id"));
    std::erase_if(head.request.headers, [](const auto& header) {
      return header.first == "traceparent" && !parse_traceparent(header.second);
    });
    try {
      head.target = parse_target(view(message.target()));
    } catch (const Error& error) {
      throw Refusal{400, error.what()};
    }
    head.request.path = head.target.path;
    head.request.query = head.target.query;
    check_framing(head);
    check_expectation(head);
    return head;
  }

  const std::size_t max_header_bytes, max_body_bytes;
  std::size_t scanned = 0;  // bytes of the inbox that hold no end of a head
  http::request_parser<http::string_body> parser;
};

RequestParser::RequestParser(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : impl_(std::make_unique<Impl>(max_header_bytes, max_body_bytes)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::optional<RequestHead> RequestParser::take_head(std::string& inbox) {
  // An empty line or two between requests is forgiven (RFC 9112, 2.2).
  for (; inbox.starts_with("\r\n"); impl_->scanned = 0) inbox.erase(0, 2);
  const bool may_begin = inbox.empty() || inbox == "\r" || (inbox[0] > 0x20 && inbox[0] < 0x7f);
  if (!may_begin) throw Refusal{400, "expected a method"};
  for (std::size_t i = std::max<std::size_t>(impl_->scanned, 1); i < inbox.size(); ++i) {
    if (inbox[i] == '\n' && inbox[i - 1] != '\r') throw Refusal{400, "expected lines that end with CR LF"};
    if (i >= impl_->max_header_bytes) throw Refusal{431, "the head is longer than this server takes"};
    if (i < 3 || inbox.compare(i - 3, 4, "\r\n\r\n") != 0) continue;
    boost::system::error_code error;
    const std::size_t used = impl_->parser.put({inbox.data(), i + 1}, error);
    if (error || used != i + 1) refuse(error ? error : make_error_code(http::error::bad_field));
    inbox.erase(0, used);
    impl_->parser.body_limit(impl_->max_body_bytes);
    impl_->parser.eager(true);
    return impl_->head();
  }
  impl_->scanned = inbox.size();
  return std::nullopt;
}

bool RequestParser::take_body(std::string& inbox) {
  auto& parser = impl_->parser;
  // The parser wants the five bytes of an empty last chunk at once; a body of known length may be shorter.
  while (!parser.is_done() && !inbox.empty() && (!parser.chunked() || inbox.size() >= 5)) {
    boost::system::error_code error;
    const std::size_t used = parser.put({inbox.data(), inbox.size()}, error);
    inbox.erase(0, used);
    if (error == http::error::need_more) {
      if (inbox.size() > impl_->max_header_bytes) throw Refusal{400, "expected a shorter line between two chunks"};
      return false;
    }
    if (error) refuse(error);
  }
  return parser.is_done();
}

std::string RequestParser::body() { return std::move(impl_->parser.get().body()); }

}  // namespace xlstm::server
