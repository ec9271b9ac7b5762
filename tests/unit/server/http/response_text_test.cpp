#include "apps/server/http/response_text.h"

#include <gtest/gtest.h>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

Framing framing(bool http10 = false, bool keep_alive = true) {
  Framing result;
  result.http10 = http10;
  result.keep_alive = keep_alive;
  result.request_id = "id";
  return result;
}

HttpResponse response(int status, Headers headers = {}) {
  HttpResponse result;
  result.status = status;
  result.headers = std::move(headers);
  return result;
}

bool has(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}

TEST(ResponseText, AHeadTellsWhereTheBodyEnds) {
  const std::string known = head_text(response(200, {{"a", "b"}}), 7, framing());
  EXPECT_TRUE(known.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(known.ends_with("\r\n\r\n"));
  EXPECT_TRUE(has(known, "content-length: 7"));
  EXPECT_TRUE(has(known, "x-request-id: id"));
  EXPECT_TRUE(has(known, "a: b"));
  EXPECT_FALSE(has(known, "connection: close"));
  EXPECT_TRUE(has(head_text(response(200), std::nullopt, framing()), "transfer-encoding: chunked"));
  const std::string old = head_text(response(200), std::nullopt, framing(true, false));
  EXPECT_TRUE(has(old, "connection: close"));
  EXPECT_EQ(old.find("transfer-encoding"), std::string::npos);
  for (const int status : {204, 304}) {
    const std::string empty = head_text(response(status), 0, framing());
    EXPECT_EQ(empty.find("content-"), std::string::npos) << status;
  }
}

TEST(ResponseText, NobodyCanWriteAHeaderOfHisOwn) {
  for (const auto& [name, value] :
       Headers{{"a", "b\r\nc: d"}, {"a\r\nb", "c"}, {"a:b", "c"}, {"", "c"}, {"a", std::string(1, '\0')}}) {
    EXPECT_THROW(head_text(response(200, {{name, value}}), 0, framing()), Error) << name;
  }
  for (const int status : {0, 100, 199, 600, -1})
    EXPECT_THROW(head_text(response(status), 0, framing()), Error) << status;
}

TEST(ResponseText, ChunksHaveTheirSizeInHex) {
  std::string text;
  append_chunk(text, "");
  append_chunk(text, std::string(26, 'x'));
  append_chunk(text, "a");
  EXPECT_EQ(text, "1a\r\n" + std::string(26, 'x') + "\r\n1\r\na\r\n");
}

}  // namespace
}  // namespace xlstm::server
