#include "apps/server/http/router.h"

#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

using Parameters = std::map<std::string, std::string>;

Router some_router() {
  Router router;
  for (const char* route : {"GET /", "GET /v1/models", "GET /v1/models/{id*}", "POST /v1/states", "GET /v1/states/{id}",
                            "DELETE /v1/states/{id}", "POST /v1/states/{id}/fork", "GET /v1/states/all"}) {
    router.add(route, [](auto) {});
  }
  return router;
}

TEST(Router, FindsTheRouteAndItsParameters) {
  const Router router = some_router();
  struct Case {
    const char *method, *path, *last;
    Parameters parameters;
  };
  for (const Case& c :
       {Case{"GET", "/", "", {}}, Case{"HEAD", "/v1/models", "models", {}},
        Case{"GET", "/v1/models/org/name", "{id*}", {{"id", "org/name"}}},
        Case{"GET", "/v1/states/s-1", "{id}", {{"id", "s-1"}}},
        Case{"GET", "/v1/states/a%2Fb%20c", "{id}", {{"id", "a/b c"}}}, Case{"GET", "/v1/states/all", "all", {}},
        Case{"GET", "/v1/%73tates/all", "all", {}}, Case{"POST", "/v1/states/x/fork", "fork", {{"id", "x"}}}}) {
    const RouteMatch match = router.match(c.method, c.path);
    ASSERT_NE(match.route, nullptr) << c.path;
    EXPECT_EQ(match.route->segments.back(), c.last) << c.path;
    EXPECT_EQ(match.parameters, c.parameters) << c.path;
  }
}

TEST(Router, TellsUnknownPathsFromUnknownMethods) {
  const Router router = some_router();
  for (const char* path :
       {"", "*", "/v1", "/v1/models/", "/v1/states/", "/v1/states/a/b", "/v1/states//fork", "/V1/models"}) {
    EXPECT_TRUE(router.match("GET", path).allowed.empty()) << path;
  }
  const RouteMatch match = router.match("PUT", "/v1/states/x");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allowed, (std::vector<std::string>{"DELETE", "GET", "HEAD"}));
  EXPECT_EQ(router.match("get", "/").route, nullptr);
}

TEST(Router, RefusesWhatIsNoRoute) {
  Router router = some_router();
  for (const char* bad : {"", "GET", "GET ", "GET x", " /x", "GET /{}", "GET /a{b}", "GET /{a", "GET /{a*}/b", "GET /*",
                          "GET /v1/models"}) {
    EXPECT_THROW(router.add(bad, [](auto) {}), Error) << bad;
  }
}

}  // namespace
}  // namespace xlstm::server
