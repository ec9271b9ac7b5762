#include "apps/server/http/request_parser.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace xlstm::server {
namespace {

struct Parsed {
  int status = 0;  // of a refusal; 0: none
  std::optional<RequestHead> head;
  std::string body;
  bool done = false;
  std::string rest;
};

/// Fed in pieces of `step` bytes.
Parsed parse(const std::string& text, std::size_t step, std::size_t max_header = 1000, std::size_t max_body = 100) {
  RequestParser parser(max_header, max_body);
  Parsed parsed;
  std::string inbox;
  try {
    for (std::size_t i = 0; i < text.size() && !parsed.done; i += step) {
      inbox += text.substr(i, step);
      if (!parsed.head) parsed.head = parser.take_head(inbox);
      if (parsed.head) parsed.done = parser.take_body(inbox);
      if (parsed.done) parsed.rest = inbox + text.substr(std::min(text.size(), i + step));
    }
  } catch (const Refusal& refusal) {
    parsed.status = refusal.status;
  }
  if (parsed.done) parsed.body = parser.body();
  return parsed;
}

constexpr std::size_t kSteps[] = {1, 2, 3, 7, 1000};

TEST(RequestParser, ReadsARequestHoweverItIsCut) {
  const std::string text =
      "\r\nPOST /v1/a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Two: 1\r\nx-two: 2\r\n\r\nhelloGET";
  for (const std::size_t step : kSteps) {
    const Parsed parsed = parse(text, step);
    ASSERT_TRUE(parsed.done) << step;
    EXPECT_EQ(parsed.head->request.method, "POST");
    EXPECT_EQ(parsed.head->request.path, "/v1/a b");
    EXPECT_EQ(parsed.head->request.query.at("x"), "1");
    EXPECT_EQ(parsed.head->request.header("x-two"), "1");
    EXPECT_EQ(parsed.head->request.headers.size(), 4u);
    EXPECT_EQ(parsed.head->content_length, 5u);
    EXPECT_TRUE(parsed.head->keep_alive);
    EXPECT_EQ(parsed.body, "hello");
    EXPECT_EQ(parsed.rest, "GET");
  }
}

TEST(RequestParser, PutsChunksTogether) {
  for (const char* chunks : {"5\r\nhello\r\n0\r\n\r\n", "1\r\nh\r\n4;ext=1\r\nello\r\n0\r\nTrailer: x\r\n\r\n",
                             "1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n"}) {
    for (const std::size_t step : kSteps) {
      const Parsed parsed =
          parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks) + "GET", step);
      ASSERT_TRUE(parsed.done) << chunks << step;
      EXPECT_EQ(parsed.body, "hello");
      EXPECT_EQ(parsed.rest, "GET");
    }
  }
  EXPECT_EQ(parse("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1).body, "");
}

TEST(RequestParser, RefusesWithTheRightStatus) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n", chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string long_line(2000, '1');
  const std::pair<int, std::string> cases[] = {
      {400, "GET\r\n\r\n"},
      {400, "GET / HTTP/1.1\n\n"},
      {400, std::string("\x16\x03\x01\x02", 4)},
      {400, " GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {400, "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"},
      {400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET nothing HTTP/1.1\r\nHost: h\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost : h\r\n\r\n"},
      {400, std::string("GET / HTTP/1.1\r\nHost: h\r\na: \0\r\n\r\n", 33)},
      {505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
      {417, post + "Expect: a miracle\r\nContent-Length: 1\r\n\r\n1"},
      {431, "GET / HTTP/1.1\r\nHost: h\r\nA: " + long_line},
      {431, "GET /" + long_line},
      {413, chunked + "65\r\n" + long_line},
      {413, chunked + "60\r\n" + std::string(0x60, 'a') + "\r\n5\r\nhello"},
      {400, chunked + "1;" + long_line},
      {400, chunked + "0\r\nTrailer: " + long_line},
      {400, chunked + "x\r\nhello"},
      {400, chunked + "-1\r\nhello"},
      {400, chunked + "1\r\nhello\r\n"},
      {400, chunked + "11111111111111111111\r\nhello"},
      {501, post + "Transfer-Encoding: gzip\r\n\r\n"},
      {501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {501, post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {400, post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
      {400, post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
      {400, post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
      {400, post + "Content-Length: -1\r\n\r\n"},
      {400, post + "Content-Length: 1x\r\n\r\n"},
      {400, post + "Content-Length: 99999999999999999999\r\n\r\n"},
  };
  for (const auto& [status, text] : cases) {
    for (const std::size_t step : kSteps) EXPECT_EQ(parse(text, step).status, status) << text << " by " << step;
  }
}

TEST(RequestParser, TheHeadsLimitIsExact) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::size_t step : kSteps) {
    EXPECT_EQ(parse(head, step, head.size()).status, 0);
    EXPECT_EQ(parse(head, step, head.size() - 1).status, 431);
  }
}

TEST(RequestParser, Http10AndConnectionHeaders) {
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\n\r\n", 1).head->http10);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n", 1).head->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 1).head->keep_alive);
  EXPECT_TRUE(parse("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 1)
                  .head->expects_continue);
}

TEST(RequestParser, AWrongTraceparentIsTakenOut) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: ";
  EXPECT_FALSE(parse(head + "00-1-2-3\r\n\r\n", 9).head->request.header("traceparent"));
  EXPECT_TRUE(parse(head + "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n", 9)
                  .head->request.header("traceparent"));
}

}  // namespace
}  // namespace xlstm::server
