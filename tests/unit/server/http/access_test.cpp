#include "apps/server/http/access.h"

#include <gtest/gtest.h>

namespace xlstm::server {
namespace {

using Strings = std::vector<std::string>;

HttpRequest request_with(Headers headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return request;
}

TEST(Access, HostsAreReadOrRefused) {
  EXPECT_EQ(parse_host("Local.Host.:80")->host, "local.host");
  EXPECT_EQ(parse_host("a:80")->port, 80);
  EXPECT_EQ(parse_host("a")->port, std::nullopt);
  EXPECT_EQ(parse_host("[::1]:8080")->host, "::1");
  for (const char* bad :
       {"", ":80", "a:", "a:b", "a:65536", "a:-1", "a:1:2", "[::1", "[::1]x", "a/b", "u@h", "a b", "[]"}) {
    EXPECT_FALSE(parse_host(bad)) << bad;
  }
}

TEST(Access, OnlyNamesOfThisServerAreAllowed) {
  const BoundAddress loopback{"127.0.0.1", 8080}, all{"0.0.0.0", 8080}, one{"10.0.0.5", 443, true};
  const Strings none, listed = {"api.example.com", "other.example.com:99"}, any = {"*"};
  struct Case {
    const char* host;
    BoundAddress bound;
    Strings allowed;
    bool good;
  };
  for (const Case& c : {Case{"localhost:8080", loopback, none, true},
                        Case{"127.0.0.1:8080", loopback, none, true},
                        Case{"[::1]:8080", loopback, none, true},
                        Case{"LOCALHOST:8080", loopback, none, true},
                        Case{"localhost", loopback, none, false},
                        Case{"localhost:81", loopback, none, false},
                        Case{"evil.example:8080", loopback, none, false},
                        Case{"localhost.evil.example:8080", loopback, none, false},
                        Case{"10.0.0.5:8080", loopback, none, false},
                        Case{"", loopback, none, false},
                        Case{"10.0.0.5:8080", all, none, true},
                        Case{"[fe80::1]:9", all, none, true},
                        Case{"evil.example:8080", all, none, false},
                        Case{"10.0.0.5", one, none, true},
                        Case{"10.0.0.5:80", one, none, false},
                        Case{"api.example.com", loopback, listed, true},
                        Case{"API.example.com:5", loopback, listed, true},
                        Case{"other.example.com:99", loopback, listed, true},
                        Case{"other.example.com", loopback, listed, false},
                        Case{"evil.example", loopback, any, true},
                        Case{"a:b", loopback, any, false}}) {
    EXPECT_EQ(host_allowed(c.host, c.bound, c.allowed), c.good) << c.host << " at " << c.bound.host;
  }
}

TEST(Access, OriginsAreSameListedOrRefused) {
  const Strings listed = {"https://app.example.com"}, any = {"*"}, none;
  struct Case {
    const char *origin, *host;
    Strings allowed;
    OriginVerdict verdict;
  };
  for (const Case& c :
       {Case{"http://localhost:8080", "localhost:8080", none, OriginVerdict::same},
        Case{"http://LOCALHOST:8080", "localhost:8080", none, OriginVerdict::same},
        Case{"https://api.example.com", "api.example.com", none, OriginVerdict::same},
        Case{"https://api.example.com", "api.example.com:443", none, OriginVerdict::same},
        Case{"http://localhost:3000", "localhost:8080", none, OriginVerdict::refused},
        Case{"http://localhost:3000", "localhost", none, OriginVerdict::refused},
        Case{"http://evil.example", "localhost:8080", listed, OriginVerdict::refused},
        Case{"null", "localhost:8080", listed, OriginVerdict::refused}, Case{"", "", listed, OriginVerdict::refused},
        Case{"https://app.example.com", "localhost:8080", listed, OriginVerdict::allowed},
        Case{"https://app.example.com.evil", "localhost:8080", listed, OriginVerdict::refused},
        Case{"null", "localhost:8080", any, OriginVerdict::allowed}}) {
    EXPECT_EQ(judge_origin(request_with({{"host", c.host}, {"origin", c.origin}}), c.allowed), c.verdict) << c.origin;
  }
  EXPECT_EQ(judge_origin(request_with({{"host", "a"}}), none), OriginVerdict::none);
}

TEST(Access, KnowsLoopbackAndAllAddresses) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "localhost", "::1"})
    EXPECT_TRUE(BoundAddress{host}.is_loopback()) << host;
  for (const char* host : {"0.0.0.0", "::", "10.0.0.1", "127.evil.example", "example.com", ""}) {
    EXPECT_FALSE(BoundAddress{host}.is_loopback()) << host;
  }
  EXPECT_TRUE(BoundAddress{"0.0.0.0"}.is_wildcard());
  EXPECT_FALSE(BoundAddress{"127.0.0.1"}.is_wildcard());
}

}  // namespace
}  // namespace xlstm::server
