// Keys, Host and Origin on a running server; Unix socket.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/unit/server/http/server_fixture.h"
#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

class GuardTest : public ServerTest {
 protected:
  GuardTest() {
    std::string name = (std::filesystem::temp_directory_path() / "xlstm-http-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = name;
  }
  ~GuardTest() override { std::filesystem::remove_all(directory_); }

  Reply with_key(const std::string& key) const {
    return ask(get("/echo/a", port(), "Authorization: Bearer " + key + "\r\n"));
  }

  std::filesystem::path directory_;
};

TEST_F(GuardTest, EveryRouteButOpenOnesAsksForAKey) {
  options_.keys = {"one", "two"};
  start();
  EXPECT_EQ(ask(get("/open", port())).status, 200);
  for (const std::string& request : {get("/echo/a", port()), get("/nothing", port()), get("/echo", port()),
                                     post("/echo", port(), "x", "Authorization: Bearer three\r\n")}) {
    const Reply reply = ask(request);
    EXPECT_EQ(reply.status, 401) << request;
    EXPECT_EQ(reply.headers.at("www-authenticate"), "Bearer");
    EXPECT_NE(reply.body.find("invalid_api_key"), std::string::npos);
  }
  EXPECT_EQ(with_key("one").status, 200);
  EXPECT_EQ(ask(get("/echo/a", port(), "x-api-key: two\r\n")).status, 200);
}

TEST_F(GuardTest, TheKeyFileIsReadAgain) {
  options_.key_file = directory_ / "keys";
  EXPECT_THROW(start(), Error);
  std::ofstream(options_.key_file) << "old\n";
  start();
  EXPECT_EQ(with_key("old").status, 200);
  std::ofstream(options_.key_file) << "new\n";
  server_->reload_keys();
  EXPECT_EQ(with_key("old").status, 401);
  EXPECT_EQ(with_key("new").status, 200);
  std::ofstream(options_.key_file) << "\n";
  EXPECT_THROW(server_->reload_keys(), Error);
  EXPECT_EQ(with_key("new").status, 200);
}

TEST_F(GuardTest, ANameThatIsNotOursIsRefused) {
  start();
  const std::string own = "localhost:" + std::to_string(port());
  EXPECT_EQ(ask("GET /open HTTP/1.1\r\nHost: " + own + "\r\n\r\n").status, 200);
  EXPECT_EQ(ask("GET /open HTTP/1.1\r\nHost: evil.example:" + std::to_string(port()) + "\r\n\r\n").status, 421);
  EXPECT_EQ(ask("GET http://evil.example/open HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(ask("GET /open HTTP/1.1\r\n\r\n").status, 400);
}

TEST_F(GuardTest, OtherPagesAreRefusedUnlessListed) {
  options_.allowed_origins = {"https://app.example.com"};
  options_.keys = {"key"};
  start();
  const std::string own = "Origin: http://localhost:" + std::to_string(port()) + "\r\n";
  EXPECT_EQ(ask(get("/open", port(), own)).status, 200);
  EXPECT_FALSE(ask(get("/open", port(), own)).headers.contains("access-control-allow-origin"));
  EXPECT_EQ(ask(get("/open", port(), "Origin: http://evil.example\r\n")).status, 403);
  const Reply allowed = ask(get("/open", port(), "Origin: https://app.example.com\r\n"));
  EXPECT_EQ(allowed.headers.at("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(allowed.headers.at("vary"), "origin");
  const std::string asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
  const std::string options = "OPTIONS" + get("/echo", port(), "Origin: https://app.example.com\r\n" + asks).substr(3);
  const Reply preflight = ask(options);
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"), "POST, PUT");
  EXPECT_EQ(preflight.headers.at("access-control-allow-headers"), "authorization");
  EXPECT_EQ(preflight.headers.at("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(ask("OPTIONS" + get("/echo", port(), "Origin: http://evil.example\r\n" + asks).substr(3)).status, 403);
}

TEST_F(GuardTest, AUnixSocketIsItsOwnersAlone) {
  options_.unix_socket = directory_ / "socket";
  options_.port = std::nullopt;
  start();
  struct stat status = {};
  ASSERT_EQ(::stat(options_.unix_socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(port(), 0);
  Client one(options_.unix_socket.string());
  EXPECT_EQ(one.ask(get("/echo/a", 1, "Connection: keep-alive\r\n")).status, 200);
  EXPECT_EQ(one.ask("GET /open HTTP/1.1\r\nHost: anything\r\n\r\n").status, 200);
  one.send(post("/hold", 1, ""));
  const auto exchange = held(1)[0];
  one.close();
  EXPECT_TRUE(eventually([&] { return gone() == 1; }));
  EXPECT_THROW(Server::start(options_, router_), Error);
  server_->stop_accepting();
  EXPECT_FALSE(std::filesystem::exists(options_.unix_socket));
}

TEST_F(GuardTest, OnlyADeadSocketIsReplaced) {
  options_.unix_socket = directory_ / "socket";
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, options_.unix_socket.c_str());
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(dead);
  start();
  EXPECT_EQ(Client(options_.unix_socket.string()).ask(get("/open", 1)).status, 200);
  EXPECT_EQ(ask(get("/open", port())).status, 200);
  server_.reset();
  std::ofstream(options_.unix_socket) << "kept";
  EXPECT_THROW(start(), Error);
  EXPECT_EQ(std::filesystem::file_size(options_.unix_socket), 4u);
  options_.unix_socket = directory_ / std::string(200, 'x');
  EXPECT_THROW(start(), Error);
}

}  // namespace
}  // namespace xlstm::server
