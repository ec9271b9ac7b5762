// The bytes of a connection. However they are cut into pieces, the requests and the refusal behind them are the same.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "apps/server/http/gate.h"
#include "apps/server/http/request_parser.h"

namespace {

using namespace xlstm::server;

constexpr std::size_t kMaxHeader = 512, kMaxBody = 1024;

const Router& router() {
  static const Router all = [] {
    Router router;
    for (const char* route : {"GET /", "POST /v1/states/{id}/fork", "GET /v1/models/{id*}"})
      router.add(route, [](auto) {});
    return router;
  }();
  return all;
}

/// What a server would see of `bytes`: a line for each request, and one for the refusal.
std::vector<std::string> requests(const std::string& bytes, std::size_t step) {
  std::vector<std::string> seen;
  RequestParser parser(kMaxHeader, kMaxBody);
  std::string inbox;
  std::optional<RequestHead> head;
  try {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      inbox.append(bytes, at, step);
      while (true) {
        if (!head && (head = parser.take_head(inbox))) {
          const Verdict verdict = judge(*head, {{"localhost", 80}}, ApiKeys(), router(), false);
          if ((verdict.route == nullptr) != verdict.answer.has_value()) std::abort();
        }
        if (!head || !parser.take_body(inbox)) break;
        const std::string body = parser.body();
        if (body.size() > kMaxBody) std::abort();
        seen.push_back(head->request.method + " " + head->request.path + " " + body);
        head.reset();
        parser = RequestParser(kMaxHeader, kMaxBody);
      }
    }
  } catch (const Refusal& refusal) {
    seen.push_back("refused");  // which of several faults is named may depend on what is there already
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  const auto whole = requests(bytes, std::max<std::size_t>(bytes.size(), 1)), cut = requests(bytes, 1);
  // A fault that is seen at once may be waited for when the bytes come one by one, never the other way round.
  const std::size_t good = std::min(whole.size(), cut.size());
  if (!std::equal(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(good), cut.begin())) std::abort();
  return 0;
}
