// A server on loopback with a few routes, and what its handlers saw.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "apps/server/http/server.h"
#include "tests/unit/server/http/client.h"

namespace xlstm::server {

/// Waits up to 10 s.
bool eventually(const std::function<bool()>& condition);

class ServerTest : public testing::Test {
 protected:
  ServerTest();
  ~ServerTest() override;

  /// Port 0 and generous limits are there already.
  void start() { server_ = Server::start(options_, router_); }
  std::uint16_t port() const { return server_->port(); }
  Client client() const { return Client(port()); }
  /// One request on a connection of its own.
  Reply ask(const std::string& request) const { return client().ask(request); }
  /// Waits (up to 10 s, else throws) for `count` exchanges of "POST /hold", which stay unanswered until they are taken.
  std::vector<std::shared_ptr<Exchange>> held(std::size_t count);
  /// Of "POST /hold": clients that were told gone.
  int gone() const { return gone_; }

  ServerOptions options_;
  Router router_;
  std::unique_ptr<Server> server_;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Exchange>> held_;
  std::atomic<int> gone_ = 0;
};

}  // namespace xlstm::server
