#include "apps/server/http/static_files.h"

#include <gtest/gtest.h>

#include "tests/unit/server/http/server_fixture.h"

namespace xlstm::server {
namespace {

TEST_F(ServerTest, StaticFilesAreOpenCachedAndStrict) {
  const StaticFile files[] = {{"index.html", "text/html", "\"one\"", "<p>page</p>"},
                              {"app.js", "text/javascript", "\"two\"", std::string_view("a\0b", 3)}};
  add_static_files(router_, files);
  options_.keys = {"key"};
  start();
  for (const char* path : {"/", "/index.html"}) {
    const Reply page = ask(get(path, port()));
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "<p>page</p>");
    EXPECT_EQ(page.headers.at("content-type"), "text/html");
    EXPECT_EQ(page.headers.at("x-content-type-options"), "nosniff");
    EXPECT_TRUE(page.headers.at("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
    EXPECT_EQ(page.headers.at("content-security-policy").find("unsafe"), std::string::npos);
  }
  Client one = client();
  EXPECT_EQ(one.ask(get("/app.js", port())).body, std::string("a\0b", 3));
  EXPECT_EQ(one.ask(get("/app.js", port(), "If-None-Match: \"one\"\r\n")).status, 200);
  const Reply same = one.ask(get("/app.js", port(), "If-None-Match: \"zero\", \"two\"\r\n"));
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.headers.at("etag"), "\"two\"");
  EXPECT_EQ(one.ask(get("/open", port())).status, 200);
  EXPECT_EQ(ask(get("/../app.js", port())).status, 401);
  EXPECT_EQ(ask(get("/none", port(), "x-api-key: key\r\n")).status, 404);
}

TEST(StaticFiles, WhatIsEmbeddedHasRoutes) {
  Router router;
  add_static_files(router, web_files());
  for (const StaticFile& file : web_files()) {
    EXPECT_NE(router.match("GET", "/" + std::string(file.name)).route, nullptr);
    EXPECT_EQ(file.etag.size(), 34u) << file.name;
    EXPECT_FALSE(file.content_type.empty());
  }
  EXPECT_EQ(router.match("GET", "/").route != nullptr, !web_files().empty());
}

}  // namespace
}  // namespace xlstm::server
