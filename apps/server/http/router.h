// Which handler a request goes to.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/http/exchange.h"

namespace xlstm::server {

/// Whether a route asks for an API key, where the server has keys.
enum class Guard { key, open };

struct Route {
  std::string method;
  std::vector<std::string> segments;  // "v1", "states", "{id}"; the last may be "{name*}", which takes the rest
  Handler handler;
  Guard guard = Guard::key;
};

struct RouteMatch {
  const Route* route = nullptr;
  std::map<std::string, std::string> parameters = {};  // percent-decoded
  std::vector<std::string> allowed = {};               // methods of this path, sorted; empty: there is no such path
};

/// Filled before the server starts and only read then. Thread safety: as a standard container.
class Router {
 public:
  /// `route`: "GET /v1/states/{id}". A route of GET answers HEAD too. Errors: invalid_argument (another form, a route
  /// that is there already).
  void add(std::string_view route, Handler handler, Guard guard = Guard::key);
  /// `raw_path` is not decoded yet, so that an escaped slash stays inside its segment. Of several routes the one with
  /// the fewest parameters. The match points into this router.
  RouteMatch match(std::string_view method, std::string_view raw_path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace xlstm::server
