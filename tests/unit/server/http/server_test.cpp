#include "apps/server/http/server.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/unit/server/http/server_fixture.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::server {
namespace {

using namespace std::chrono_literals;

TEST_F(ServerTest, AnswersWithLengthDateAndRequestId) {
  start();
  const Reply reply = ask(get("/echo/caf%C3%A9?x=1", port(), "X-Request-Id: mine-1\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "GET /echo/caf\xc3\xa9 ");
  EXPECT_EQ(reply.headers.at("content-type"), "text/plain");
  EXPECT_EQ(reply.headers.at("x-request-id"), "mine-1");
  EXPECT_TRUE(reply.headers.at("date").ends_with(" GMT"));
  EXPECT_TRUE(ask(get("/open", port(), "X-Request-Id: a b\r\n")).headers.at("x-request-id").starts_with("req-"));
}

TEST_F(ServerTest, AConnectionIsKeptAndAnswersInOrder) {
  start();
  Client one = client();
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    EXPECT_EQ(one.ask(get("/echo/" + name, port())).body, "GET /echo/" + name + " ");
  }
  std::string pipelined;
  for (int i = 0; i < 50; ++i) {
    pipelined += i % 2 == 0 ? get("/echo/" + std::to_string(i), port()) : post("/echo", port(), std::to_string(i));
  }
  one.send(pipelined);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(one.read().body, i % 2 == 0 ? "GET /echo/" + std::to_string(i) + " " : "POST /echo " + std::to_string(i));
  }
  EXPECT_EQ(server_->counts().connections, 1u);
}

TEST_F(ServerTest, MoreThanIsReadAheadIsStillAnsweredInOrder) {
  start();
  Client one = client();
  one.send(post("/hold", port(), ""));
  const auto exchanges = held(1);
  std::thread sender([&] {
    for (int i = 0; i < 300; ++i) one.send(post("/echo", port(), std::string(1000, 'x') + std::to_string(i)));
  });
  exchanges[0]->respond({});
  EXPECT_EQ(one.read().status, 200);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(one.read().body, "POST /echo " + std::string(1000, 'x') + std::to_string(i));
  sender.join();
}

TEST_F(ServerTest, StreamsInChunks) {
  start();
  Client one = client();
  for (const char* path : {"/stream?parts=1000&size=7", "/stream?parts=0&size=7", "/stream?parts=5&size=100000",
                           "/stream?parts=3&size=0"}) {
    const Reply reply = one.ask(get(path, port()));
    const std::string query = path;
    const std::size_t parts = std::stoul(query.substr(query.find("parts=") + 6)),
                      size = std::stoul(query.substr(query.find("size=") + 5));
    EXPECT_EQ(reply.headers.at("transfer-encoding"), "chunked");
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.body.size(), parts * size);
  }
}

TEST_F(ServerTest, PartsArriveAsTheyAreWritten) {
  start();
  Client one = client();
  one.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  exchange->begin({});
  exchange->write("data: 1\n\n");
  std::string got;
  while (got.find("data: 1") == std::string::npos) got += one.read_some();
  EXPECT_EQ(got.find("data: 2"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return exchange->pending_bytes() == 0; }));
  exchange->write("data: 2\n\n");
  exchange->end();
  exchange->write("nothing follows the end");
  got = "";
  while (!got.ends_with("0\r\n\r\n")) got += one.read_some();
  EXPECT_EQ(got, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
}

TEST_F(ServerTest, HeadHasNoBodyAndOptionsNamesMethods) {
  start();
  Client one = client();
  one.send("HEAD /echo/a HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\n\r\n");
  EXPECT_EQ(one.read(true).headers.at("content-length"), "13");
  one.send("HEAD /stream?parts=3&size=3 HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\n\r\n");
  EXPECT_EQ(one.read(true).status, 200);
  one.send("OPTIONS /echo HTTP/1.1\r\nHost: localhost:" + std::to_string(port()) + "\r\n\r\n");
  const Reply options = one.read();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.headers.at("allow"), "POST, PUT");
  EXPECT_EQ(one.ask(get("/open", port())).status, 200);
}

TEST_F(ServerTest, UnknownPathsAndMethodsAreErrorsInTheApisForm) {
  start();
  const Reply unknown = ask(get("/nothing", port())), method = ask(get("/echo", port()));
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(nlohmann::json::parse(unknown.body)["error"]["code"], "unknown_url");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.headers.at("allow"), "POST, PUT");
  EXPECT_EQ(nlohmann::json::parse(method.body)["error"]["type"], "invalid_request_error");
}

TEST_F(ServerTest, Http10IsAnsweredUpToTheEndOfTheConnection) {
  start();
  const Reply plain = ask("GET /open HTTP/1.0\r\n\r\n"), streamed = ask("GET /stream?parts=3&size=3 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(plain.headers.at("connection"), "close");
  EXPECT_EQ(plain.body, "GET /open ");
  EXPECT_FALSE(streamed.headers.contains("transfer-encoding"));
  EXPECT_EQ(streamed.body, "xxxxxxxxx");
  Client closing = client();
  EXPECT_EQ(closing.ask(get("/open", port(), "Connection: close\r\n")).headers.at("connection"), "close");
  EXPECT_TRUE(closing.is_closed());
}

TEST_F(ServerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  start();
  Client one = client();
  const std::string head = post("/echo", port(), "hello", "Expect: 100-continue\r\n");
  EXPECT_EQ(one.ask(head.substr(0, head.size() - 5)).status, 100);
  EXPECT_EQ(one.ask("hello").body, "POST /echo hello");
  Client refused = client();
  EXPECT_EQ(refused.ask(post("/nothing", port(), "", "Expect: 100-continue\r\n")).status, 404);
}

TEST_F(ServerTest, WhatHandlersThrowBecomesAnAnswer) {
  router_.add("GET /throw/{code}", [](const std::shared_ptr<Exchange>& exchange) {
    const std::string& code = exchange->request().parameters.at("code");
    if (code == "std") throw std::runtime_error("a secret");
    if (code == "int") throw 1;
    if (code == "late") {
      exchange->begin({});
      exchange->write("half");
      throw std::runtime_error("late");
    }
    if (code == "header") return exchange->respond({200, "text/plain", "", {{"a", "b\r\nc: d"}}});
    fail(static_cast<ErrorCode>(std::stoi(code)), "where", "expected this");
  });
  router_.add("GET /forget", [](const std::shared_ptr<Exchange>&) {});
  start();
  const std::pair<ErrorCode, int> cases[] = {{ErrorCode::invalid_argument, 400}, {ErrorCode::unsupported, 400},
                                             {ErrorCode::not_found, 404},        {ErrorCode::corrupt_file, 400},
                                             {ErrorCode::overloaded, 503},       {ErrorCode::cancelled, 499}};
  for (const auto& [code, status] : cases) {
    const Reply reply = ask(get("/throw/" + std::to_string(static_cast<int>(code)), port()));
    EXPECT_EQ(reply.status, status);
    EXPECT_EQ(nlohmann::json::parse(reply.body)["error"]["message"], "[where] expected this");
    EXPECT_EQ(reply.headers.contains("retry-after"), status == 503);
  }
  for (const char* path : {"/throw/6", "/throw/std", "/throw/int", "/throw/header", "/forget"}) {
    const Reply reply = ask(get(path, port()));
    EXPECT_EQ(reply.status, 500) << path;
    EXPECT_EQ(nlohmann::json::parse(reply.body)["error"]["type"], "server_error");
    EXPECT_EQ(reply.body.find("secret"), std::string::npos);
    EXPECT_EQ(reply.body.find("expected this"), std::string::npos);
  }
  const Reply late = ask(get("/throw/late", port()));
  EXPECT_EQ(late.status, 200);
  EXPECT_EQ(late.body, "half");
  EXPECT_FALSE(late.complete);
}

TEST_F(ServerTest, ALineOfTheLogHasNoQueryAndNoBody) {
  std::mutex mutex;
  std::string lines;
  set_log_sink([&](LogLevel, const std::string& line) {
    const std::lock_guard lock(mutex);
    lines += line + "\n";
  });
  start();
  ask(post("/echo?secret=1", port(), "private",
           "X-Request-Id: logged\r\nTraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"));
  ask(get("/a%22b", port()));
  server_->stop();
  set_log_sink({});
  EXPECT_NE(lines.find("[http] method=\"POST\" path=\"/echo\" status=200 bytes="), std::string::npos) << lines;
  EXPECT_NE(lines.find("request_id=logged trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n"), std::string::npos) << lines;
  EXPECT_NE(lines.find("path=\"/a\\\"b\" status=404"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("secret"), std::string::npos);
  EXPECT_EQ(lines.find("private"), std::string::npos);
}

TEST_F(ServerTest, DrainWaitsForAnswersAndTakesNoConnections) {
  start();
  Client idle = client(), busy = client();
  EXPECT_EQ(idle.ask(get("/open", port())).status, 200);
  busy.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  EXPECT_FALSE(server_->drain(20ms));
  EXPECT_TRUE(idle.is_closed());
  EXPECT_THROW(client(), std::runtime_error);
  exchange->respond({200, "text/plain", "last", {}});
  EXPECT_EQ(busy.read().body, "last");
  EXPECT_TRUE(busy.is_closed());
  busy.close();
  EXPECT_TRUE(server_->drain(10s));
  EXPECT_EQ(server_->counts().connections, 0u);
}

TEST_F(ServerTest, StopCutsADrainShort) {
  start();
  Client busy = client();
  busy.send(post("/hold", port(), ""));
  const auto exchange = held(1)[0];
  bool drained = false;
  std::thread waiting([&] { drained = server_->drain(60s); });
  EXPECT_TRUE(eventually([&] {
    try {
      client();
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  server_->stop();
  waiting.join();
  EXPECT_TRUE(drained);
  EXPECT_EQ(gone(), 1);
}

TEST_F(ServerTest, ACallbackThatThrowsHarmsNobody) {
  router_.add("POST /angry", [](const std::shared_ptr<Exchange>& exchange) {
    exchange->on_gone([exchange] { throw std::runtime_error("angry"); });
  });
  start();
  for (int i = 0; i < 5; ++i) client().send(post("/angry", port(), ""));
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 0; }));
  EXPECT_EQ(ask(get("/open", port())).status, 200);
}

TEST_F(ServerTest, StopEndsWhatIsLeftAndExchangesOutliveIt) {
  start();
  Client waiting = client(), streaming = client(), half = client();
  waiting.send(post("/hold", port(), ""));
  streaming.send(post("/hold", port(), ""));
  half.send("GET /");
  const auto exchanges = held(2);
  exchanges[0]->begin({});
  server_->stop();
  EXPECT_TRUE(waiting.is_closed());
  EXPECT_TRUE(streaming.is_closed());
  EXPECT_TRUE(half.is_closed());
  EXPECT_EQ(gone(), 2);
  server_.reset();
  exchanges[0]->write("dropped");
  exchanges[0]->end();
  exchanges[1]->respond({});
  int told = 0;
  exchanges[1]->on_gone([&] { ++told; });
  EXPECT_EQ(told, 1);
}

TEST_F(ServerTest, OptionsThatMakeNoSenseAreRefused) {
  options_.host = "0.0.0.0";
  EXPECT_THROW(start(), Error);
  options_.keys = {"key"};
  start();
  EXPECT_EQ(ask("GET /echo/a HTTP/1.1\r\nHost: 10.1.2.3\r\nX-Api-Key: key\r\n\r\n").status, 200);
  EXPECT_EQ(ask("GET /echo/a HTTP/1.1\r\nHost: evil.example\r\nX-Api-Key: key\r\n\r\n").status, 421);
  server_.reset();
  options_.host = "192.0.2.1";  // of no machine (RFC 5737)
  EXPECT_THROW(start(), Error);
  options_.host = "127.0.0.1";
  options_.port = std::nullopt;
  EXPECT_THROW(start(), Error);
  options_.port = 0;
  options_.worker_threads = 0;
  EXPECT_THROW(start(), Error);
}

TEST_F(ServerTest, APortThatIsTakenIsAnError) {
  start();
  const auto first = std::move(server_);
  options_.port = first->port();
  EXPECT_THROW(start(), Error);
}

}  // namespace
}  // namespace xlstm::server
