// Every limit of the transport, and what a request beyond it gets.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/unit/server/http/server_fixture.h"

namespace xlstm::server {
namespace {

using namespace std::chrono_literals;

TEST_F(ServerTest, ALongHeadIsRefused) {
  options_.limits.max_header_bytes = 200;
  start();
  Client one = client();
  EXPECT_EQ(one.ask(get("/open", port(), "A: " + std::string(50, 'a') + "\r\n")).status, 200);
  EXPECT_EQ(one.ask(get("/open", port(), "A: " + std::string(200, 'a') + "\r\n")).status, 431);
  EXPECT_TRUE(one.is_closed());
}

TEST_F(ServerTest, ALongBodyIsRefusedAtOnce) {
  options_.limits.max_body_bytes = 1000;
  start();
  Client told = client(), chunked = client();
  const std::string head = post("/echo", port(), std::string(1001, 'x'));
  const Reply reply = told.ask(head.substr(0, head.size() - 1001));
  EXPECT_EQ(reply.status, 413);
  EXPECT_NE(nlohmann::json::parse(reply.body)["error"]["message"].get<std::string>().find("1000"), std::string::npos);
  EXPECT_TRUE(told.is_closed());
  const std::string chunk = "12c\r\n" + std::string(300, 'x') + "\r\n";
  chunked.send("POST /echo HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) +
               "\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk + chunk);
  EXPECT_EQ(chunked.read().status, 413);
  EXPECT_TRUE(chunked.is_closed());
  EXPECT_EQ(ask(post("/echo", port(), std::string(1000, 'x'))).status, 200);
}

TEST_F(ServerTest, TheAnswerReachesAClientThatStillSends) {
  options_.limits.max_body_bytes = 10;
  start();
  Client one = client();
  one.send(post("/echo", port(), std::string(3'000'000, 'x')));
  EXPECT_EQ(one.read().status, 413);
}

TEST_F(ServerTest, WhatIsNoHttpIsRefused) {
  start();
  for (const char* bad :
       {"\r\n\r\nGET\r\n\r\n", "GET / HTTP/1.1\n", "\x16\x03\x01", "GET / HTTP/1.1\r\nHost: a\r\nb\r\n\r\n"}) {
    Client one = client();
    const Reply reply = one.ask(bad);
    EXPECT_EQ(reply.status, 400) << bad;
    EXPECT_TRUE(nlohmann::json::parse(reply.body).contains("error"));
    EXPECT_TRUE(one.is_closed());
  }
  EXPECT_EQ(ask(get("/open", port(), "Transfer-Encoding: br\r\n")).status, 501);
}

TEST_F(ServerTest, SlowHeadsAndBodiesTimeOut) {
  options_.limits.header_time = options_.limits.body_time = 50ms;
  start();
  Client head = client(), body = client(), second = client();
  head.send("GET / HTTP/1.1\r\n");
  body.send("POST /echo HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\nContent-Length: 5\r\n\r\n123");
  EXPECT_EQ(second.ask(get("/open", port())).status, 200);
  second.send("G");
  for (Client* slow : {&head, &body, &second}) {
    EXPECT_EQ(slow->read().status, 408);
    EXPECT_TRUE(slow->is_closed());
  }
}

TEST_F(ServerTest, AByteNowAndThenGainsNoTime) {
  options_.limits.header_time = options_.limits.linger_time = 100ms;
  start();
  Client slow = client();
  bool taken = true;
  for (int i = 0; i < 200 && taken; ++i) {
    taken = slow.send("G");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_FALSE(taken);
}

TEST_F(ServerTest, AnIdleConnectionIsClosedAndABusyOneIsNot) {
  options_.limits.idle_time = 500ms;
  start();
  Client busy = client();
  busy.send(post("/hold", port(), ""));
  Client used = client();
  EXPECT_EQ(used.ask(get("/open", port())).status, 200);
  Client fresh = client();
  const auto exchange = held(1)[0];
  EXPECT_TRUE(used.is_closed());
  EXPECT_TRUE(fresh.is_closed());  // busy has been there for longer than either
  exchange->respond({});
  EXPECT_EQ(busy.read().status, 200);
}

TEST_F(ServerTest, OneConnectionTooManyIsTurnedAway) {
  options_.limits.max_connections = 2;
  start();
  Client one = client(), two = client();
  EXPECT_EQ(one.ask(get("/open", port())).status, 200);
  EXPECT_EQ(two.ask(get("/open", port())).status, 200);
  Client three = client();
  const Reply reply = three.ask(get("/open", port()));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers.at("retry-after"), "1");
  EXPECT_EQ(nlohmann::json::parse(reply.body)["error"]["type"], "overloaded_error");
  EXPECT_TRUE(three.is_closed());
  one.close();
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 1; }));
  EXPECT_EQ(ask(get("/open", port())).status, 200);
}

TEST_F(ServerTest, AnAddressHasALimitOfItsOwn) {
  options_.limits.max_connections_per_address = 1;
  start();
  {
    Client one = client();
    EXPECT_EQ(one.ask(get("/open", port())).status, 200);
    EXPECT_EQ(client().read().status, 503);
    EXPECT_EQ(one.ask(get("/open", port())).status, 200);
  }
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 0; }));
  EXPECT_EQ(ask(get("/open", port())).status, 200);
}

TEST_F(ServerTest, RequestsAtOnceHaveALimit) {
  options_.limits.max_requests = 2;
  start();
  Client one = client(), two = client(), three = client();
  one.send(post("/hold", port(), ""));
  two.send(post("/hold", port(), ""));
  const auto exchanges = held(2);
  const Reply reply = three.ask(get("/open", port()));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.headers.at("retry-after"), "1");
  exchanges[0]->respond({});
  EXPECT_EQ(three.ask(get("/open", port())).status, 200);
  exchanges[1]->respond({});
  EXPECT_EQ(one.read().status, 200);
  EXPECT_EQ(two.read().status, 200);
}

TEST_F(ServerTest, AClientThatGoesIsNoticedAtOnce) {
  start();
  Client closed = client(), reset = client(), half = client(), streaming = client();
  for (Client* one : {&closed, &reset, &half, &streaming}) one->send(post("/hold", port(), ""));
  const auto exchanges = held(4);
  exchanges[3]->begin({});  // of any of them
  EXPECT_EQ(gone(), 0);
  closed.close();
  reset.abort();
  ::shutdown(half.fd(), SHUT_WR);
  streaming.close();
  EXPECT_TRUE(eventually([&] { return gone() == 4; }));
  EXPECT_EQ(server_->counts().requests, 0u);
  exchanges[0]->respond({});  // dropped
  std::atomic<int> told = 0;
  exchanges[0]->on_gone([&] { ++told; });
  EXPECT_TRUE(eventually([&] { return told == 1; }));
}

TEST_F(ServerTest, NobodyIsToldGoneBehindTheEnd) {
  start();
  Client one = client();
  one.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  exchange->respond({});
  EXPECT_EQ(one.read().status, 200);
  one.close();
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 0; }));
  EXPECT_EQ(gone(), 0);
}

TEST_F(ServerTest, AClientThatDoesNotReadIsDropped) {
  options_.limits.max_pending_bytes = 100'000;
  start();
  Client one = client();
  one.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  exchange->begin({});
  std::size_t most = 0;
  const std::string part(50'000, 'x');
  for (int i = 0; i < 2000 && gone() == 0; ++i) {
    exchange->write(part);
    most = std::max(most, exchange->pending_bytes());
    if (most > 100'000) std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(eventually([&] { return gone() == 1; }));
  EXPECT_GT(most, 100'000u);
  EXPECT_LT(most, 200'000u);
  EXPECT_EQ(exchange->pending_bytes(), 0u);
}

TEST_F(ServerTest, AnAnswerThatNobodyTakesTimesOut) {
  options_.limits.write_time = 100ms;
  start();
  Client one = client();
  one.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  exchange->respond({200, "text/plain", std::string(40'000'000, 'x'), {}});
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 0; }));
}

}  // namespace
}  // namespace xlstm::server
