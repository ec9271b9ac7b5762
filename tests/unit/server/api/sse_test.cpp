#include "apps/server/api/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/server/api/json_text.h"
#include "tests/unit/server/api/fake_exchange.h"

namespace xlstm::server::api {
namespace {

TEST(EventStream, WritesEventsCommentsAndTheEnd) {
  const auto exchange = std::make_shared<FakeExchange>(HttpRequest());
  EventStream stream(exchange);
  EXPECT_FALSE(exchange->streamed()) << "an error may yet be answered with a status";
  stream.data("{}");
  stream.event("message_stop", "[1]");
  stream.comment("prefill 512/4096");
  stream.end();
  stream.data("after the end");
  const HttpResponse response = exchange->wait();
  EXPECT_EQ(response.body, "data: {}\n\nevent: message_stop\ndata: [1]\n\n: prefill 512/4096\n\n");
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_THAT(response.headers, testing::Contains(testing::Pair("Cache-Control", "no-cache")));
}

TEST(KeepAlive, ACommentComesWhereNothingElseDoes) {
  const auto exchange = std::make_shared<FakeExchange>(HttpRequest());
  const auto stream = std::make_shared<EventStream>(exchange);
  KeepAlive keeper(std::chrono::milliseconds(2));
  stream->begin();
  keeper.add(stream);
  exchange->wait_for(": keep-alive\n\n: keep-alive\n\n");
  stream->end();
  EXPECT_FALSE(stream->keep_alive(std::chrono::steady_clock::now()));
}

TEST(KeepAlive, AStreamThatSpokeIsLeftAlone) {
  const auto exchange = std::make_shared<FakeExchange>(HttpRequest());
  EventStream stream(exchange);
  const auto before = std::chrono::steady_clock::now();
  stream.data("1");
  EXPECT_TRUE(stream.keep_alive(before - std::chrono::seconds(1)));
  EXPECT_EQ(exchange->wait_for("1").body, "data: 1\n\n");
}

TEST(JsonText, StringsAreWhatAJsonReaderReads) {
  std::string every;
  for (char c = 0; c < 127; ++c) every += c;
  every += "\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x8e\xad";
  std::string out;
  append_json_string(out, every);
  EXPECT_EQ(nlohmann::json::parse(out).get<std::string>(), every);
}

TEST(JsonText, IdsAre128BitsThatDiffer) {
  const std::string a = make_id("cmpl-"), b = make_id("cmpl-");
  EXPECT_THAT(a, testing::MatchesRegex("cmpl-[0-9a-f]+"));
  EXPECT_EQ(a.size(), 5u + 32u);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace xlstm::server::api
