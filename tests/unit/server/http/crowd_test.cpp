// Many clients at once: streams, slow ones, and ones that go at any moment.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <random>
#include <thread>

#include "tests/unit/server/http/server_fixture.h"

namespace xlstm::server {
namespace {

using namespace std::chrono_literals;

/// Reads from all until each has said its last chunk; returns what each said.
std::vector<std::string> read_all(std::vector<Client>& clients) {
  std::vector<std::string> texts(clients.size());
  std::vector<pollfd> waits;
  for (const Client& client : clients) waits.push_back({client.fd(), POLLIN, 0});
  char buffer[65536];
  for (std::size_t open = clients.size(); open > 0;) {
    if (::poll(waits.data(), waits.size(), 10'000) <= 0) break;
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if ((waits[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      const ssize_t count = ::recv(waits[i].fd, buffer, sizeof(buffer), 0);
      if (count > 0) texts[i].append(buffer, static_cast<std::size_t>(count));
      if (count > 0 && !texts[i].ends_with("\r\n0\r\n\r\n")) continue;
      waits[i].fd = -1;  // poll passes it over
      --open;
    }
  }
  return texts;
}

TEST_F(ServerTest, AThousandStreamsAtOnceAreComplete) {
  constexpr int kStreams = 1000, kEvents = 20;
  start();
  std::vector<Client> clients;
  for (int i = 0; i < kStreams; ++i) {
    clients.emplace_back(port());
    clients.back().send(post("/hold", port(), ""));
  }
  std::string expected;
  for (int event = 0; event < kEvents; ++event) expected += "data: " + std::to_string(event) + "\n\n";
  std::thread engine([&] {
    const auto exchanges = held(kStreams);
    for (const auto& exchange : exchanges) exchange->begin({});
    for (int event = 0; event < kEvents; ++event) {
      for (const auto& exchange : exchanges) exchange->write("data: " + std::to_string(event) + "\n\n");
    }
    for (const auto& exchange : exchanges) exchange->end();
  });
  const std::vector<std::string> texts = read_all(clients);
  engine.join();
  for (const std::string& text : texts) {
    ASSERT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
    std::string body;
    for (std::size_t at = text.find("\r\n\r\n") + 4; at < text.size();) {
      const std::size_t line = text.find("\r\n", at), size = std::stoul(text.substr(at, line - at), nullptr, 16);
      body += text.substr(line + 2, size);
      at = line + 2 + size + 2;
    }
    ASSERT_EQ(body, expected);
  }
  EXPECT_EQ(gone(), 0);
}

TEST_F(ServerTest, FiveHundredSlowClientsDoNotStopService) {
  options_.limits.header_time = 600ms;
  options_.limits.linger_time = 10s;  // so that all are there at once, however slowly they come
  start();
  std::vector<Client> slow;
  for (int i = 0; i < 500; ++i) {
    slow.emplace_back(port());
    slow.back().send("GET / HTTP/1.1\r\nHost: ");
  }
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 500; }));
  Client good = client();
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(good.ask(get("/open", port())).status, 200);
    slow[static_cast<std::size_t>(i)].send("x");
  }
  for (Client& one : slow) ASSERT_EQ(one.read().status, 408);
  slow.clear();
  EXPECT_EQ(good.ask(get("/open", port())).status, 200);
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 1; }));
}

TEST_F(ServerTest, TwoThousandClientsThatGoLeaveNothingBehind) {
  constexpr std::uint32_t kSeed = 7;
  std::mutex mutex;
  std::vector<std::weak_ptr<Exchange>> seen;
  std::vector<std::shared_ptr<Exchange>> running;
  router_.add("POST /run", [&](std::shared_ptr<Exchange> exchange) {
    exchange->on_gone([&, weak = std::weak_ptr(exchange)] {
      const std::lock_guard lock(mutex);
      std::erase(running, weak.lock());
    });
    const std::lock_guard lock(mutex);
    seen.push_back(exchange);
    running.push_back(std::move(exchange));
  });
  const int files = count_open_files();
  options_.limits.header_time = 300ms;
  start();
  std::atomic<bool> done = false;
  std::thread engine([&] {
    std::mt19937 random(kSeed);
    while (!done) {
      std::this_thread::sleep_for(200us);
      const std::lock_guard lock(mutex);
      if (running.empty()) continue;
      const auto exchange = running[random() % running.size()];
      switch (random() % 4) {
        case 0:
          exchange->respond({});
          break;
        case 1:
          exchange->begin({});
          for (int i = 0; i < 3; ++i) exchange->write("data\n\n");
          exchange->end();
          break;
        default:
          exchange->begin({});
          exchange->write("data\n\n");  // and no end
      }
      std::erase(running, exchange);
    }
  });
  std::mt19937 random(kSeed);
  std::vector<Client> clients;
  const std::string request = post("/run", port(), std::string(100, 'x'));
  for (int i = 0; i < 2000; ++i) {
    Client one = client();
    one.send(request.substr(0, random() % 3 == 0 ? random() % request.size() : request.size()));
    if (random() % 2 == 0) one.send(request);
    clients.push_back(std::move(one));
    if (clients.size() < 50) continue;
    std::swap(clients[random() % clients.size()], clients.back());
    if (random() % 2 == 0) clients.back().abort();
    clients.pop_back();
  }
  EXPECT_EQ(ask(get("/open", port())).status, 200);  // whoever came before was let in by now
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return !seen.empty();
  }));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server_->counts().connections == 0; }));
  done = true;
  engine.join();
  EXPECT_EQ(server_->counts().requests, 0u);
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return running.empty() && std::all_of(seen.begin(), seen.end(), [](const auto& weak) { return weak.expired(); });
  }));
  server_->stop();
  server_.reset();
  EXPECT_EQ(count_open_files(), files);
}

}  // namespace
}  // namespace xlstm::server
