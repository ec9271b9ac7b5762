#include "apps/server/http/url.h"

#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

TEST(Url, EscapesAreDecodedOrRefused) {
  EXPECT_EQ(percent_decoded("a%2Fb%41"), "a/bA");
  EXPECT_EQ(percent_decoded("a+b"), "a+b");
  EXPECT_EQ(percent_decoded("a+b%2B", true), "a b+");
  EXPECT_EQ(percent_decoded(""), "");
  for (const char* bad : {"%", "%4", "%4g", "a%zz", "%%41"}) EXPECT_EQ(percent_decoded(bad), std::nullopt) << bad;
}

TEST(Url, ATargetHasAPathAndAQuery) {
  const Target target = parse_target("/v1/a%20b?x=1&y=a+b%26&x=2&flag&=empty");
  EXPECT_EQ(target.raw_path, "/v1/a%20b");
  EXPECT_EQ(target.path, "/v1/a b");
  EXPECT_EQ(target.query, (std::map<std::string, std::string>{{"", "empty"}, {"flag", ""}, {"x", "2"}, {"y", "a b&"}}));
  EXPECT_EQ(target.authority, "");
}

TEST(Url, TheAbsoluteFormTellsTheHost) {
  const Target target = parse_target("http://localhost:80/a?b=c");
  EXPECT_EQ(target.authority, "localhost:80");
  EXPECT_EQ(target.path, "/a");
  EXPECT_EQ(target.query.at("b"), "c");
  EXPECT_EQ(parse_target("https://host").path, "/");
  EXPECT_EQ(parse_target("*").path, "*");
}

TEST(Url, WhatIsNoPathIsRefused) {
  for (const char* bad : {"", "a", "ftp://host/a", "http:///a", "/%", "/%00", "/a%0ab", "/?a=%x", "host:80"}) {
    EXPECT_THROW(parse_target(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace xlstm::server
