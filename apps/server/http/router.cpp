#include "apps/server/http/router.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "apps/server/http/url.h"
#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(1);
  for (std::size_t slash = 0; (slash = path.find('/')) != std::string_view::npos; path.remove_prefix(slash + 1)) {
    segments.emplace_back(path.substr(0, slash));
  }
  segments.emplace_back(path);
  return segments;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }
bool takes_rest(std::string_view segment) { return segment.ends_with("*}"); }

std::string rest_of(const std::vector<std::string>& path, std::size_t from) {
  std::string rest = path[from];
  for (std::size_t i = from + 1; i < path.size(); ++i) rest += '/' + path[i];
  return rest;
}

/// Segments of a path against those of a route; a parameter is never empty.
bool fits(const std::vector<std::string>& route, const std::vector<std::string>& path,
          std::map<std::string, std::string>& parameters) {
  const bool rest = takes_rest(route.back());
  if (rest ? path.size() < route.size() : path.size() != route.size()) return false;
  for (std::size_t i = 0; i < route.size(); ++i) {
    const bool last = rest && i + 1 == route.size();
    const auto value = percent_decoded(last ? rest_of(path, i) : path[i]);
    if (!value) return false;
    if (!is_parameter(route[i])) {
      if (*value != route[i]) return false;
    } else {
      if (value->empty()) return false;
      parameters[route[i].substr(1, route[i].size() - (last ? 3 : 2))] = *value;
    }
  }
  return true;
}

void check_segments(const std::vector<std::string>& segments, std::string_view route) {
  for (const std::string& segment : segments) {
    const bool braces = segment.find_first_of("{}*") != std::string::npos;
    const bool good = is_parameter(segment) && segment.find('}') == segment.size() - 1 && segment.size() > 2;
    const bool rest_inside = takes_rest(segment) && &segment != &segments.back();
    if ((braces && !good) || rest_inside) {
      fail(ErrorCode::invalid_argument, route, "expected parameters as whole segments, {name}, and {name*} at the end");
    }
  }
}

}  // namespace

void Router::add(std::string_view route, Handler handler, Guard guard) {
  const std::size_t blank = route.find(' ');
  if (blank == std::string_view::npos || blank == 0 || blank + 1 == route.size() || route[blank + 1] != '/') {
    fail(ErrorCode::invalid_argument, route, "expected a route of the form \"METHOD /path\"");
  }
  Route added{std::string(route.substr(0, blank)), split(route.substr(blank + 1)), std::move(handler), guard};
  check_segments(added.segments, route);
  for (const Route& other : routes_) {
    if (other.method == added.method && other.segments == added.segments) {
      fail(ErrorCode::invalid_argument, route, "expected a route that is not there yet");
    }
  }
  routes_.push_back(std::move(added));
}

RouteMatch Router::match(std::string_view method, std::string_view raw_path) const {
  RouteMatch best;
  if (!raw_path.starts_with('/')) return best;
  const std::vector<std::string> path = split(raw_path);
  std::set<std::string> allowed;
  std::size_t best_parameters = std::numeric_limits<std::size_t>::max();
  for (const Route& route : routes_) {
    std::map<std::string, std::string> parameters;
    if (!fits(route.segments, path, parameters)) continue;
    allowed.insert(route.method);
    if (route.method == "GET") allowed.insert("HEAD");
    if (route.method != method && !(method == "HEAD" && route.method == "GET")) continue;
    const auto wanted = static_cast<std::size_t>(
        std::count_if(route.segments.begin(), route.segments.end(), [](const auto& s) { return is_parameter(s); }));
    if (wanted >= best_parameters) continue;
    best_parameters = wanted;
    best.route = &route;
    best.parameters = std::move(parameters);
  }
  best.allowed.assign(allowed.begin(), allowed.end());
  return best;
}

}  // namespace xlstm::server
