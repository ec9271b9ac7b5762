// What the transport and the API know of each other: a request, and the ways to answer it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xlstm::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;                             // "GET", as it was sent
  std::string path;                               // percent-decoded, without the query
  std::map<std::string, std::string> query;       // percent-decoded; of equal names the last
  std::map<std::string, std::string> parameters;  // of the route: {id}
  Headers headers;                                // names in lower case
  std::string body;
  std::string request_id;  // the client's x-request-id if it is a plain one, else made here; every answer has it

  std::optional<std::string_view> header(std::string_view lower_case_name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers = {};
};

/// One request and its answer. Thread safety: every method from any thread, one call at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const HttpRequest& request() const noexcept = 0;
  /// The whole answer; or begin(), then write() any number of times, then end(). What comes after the end, or after the
  /// client is gone, is dropped. One that is destroyed unanswered is answered with 500.
  virtual void respond(HttpResponse response) = 0;
  /// The head of a streamed answer (its body is not looked at).
  virtual void begin(HttpResponse head) = 0;
  virtual void write(std::string part) = 0;
  virtual void end() = 0;
  /// Bytes that were written and that the client has not taken yet.
  virtual std::size_t pending_bytes() const noexcept = 0;
  /// Called once, on a thread of the transport, if the client goes before the answer has ended; at once if it is gone.
  virtual void on_gone(std::function<void()> callback) = 0;
};

/// Must not block for long: it is called on the transport's worker threads. What it throws becomes an error answer.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

}  // namespace xlstm::server
