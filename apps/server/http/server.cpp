#include "apps/server/http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <future>
#include <map>
#include <optional>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "apps/server/http/connection.h"
#include "apps/server/http/listener.h"
#include "apps/server/http/tls.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::server {
namespace asio = boost::asio;
using boost::system::error_code;
namespace {

constexpr std::size_t kOtherFiles = 256;  // that the process has open besides its connections
constexpr std::chrono::milliseconds kAcceptPause{100};

void raise_file_limit(std::size_t max_connections) {
  rlimit limit = {};
  const rlim_t wanted = max_connections + kOtherFiles;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted) {
    log(LogLevel::warning, "[http] the system allows " + std::to_string(limit.rlim_cur) + " open files, fewer than " +
                               std::to_string(max_connections) + " connections need");
  }
}

std::string address_text(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
  } else if (address.ss_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof(text));
  }
  return text;
}

/// For a connection that is one too many. A TLS client would not understand it.
void turn_away(int fd, bool tls) {
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 106\r\nretry-after: 1\r\n"
      "connection: close\r\n\r\n"
      R"({"error":{"message":"too many connections; try again","type":"overloaded_error","param":null,"code":null}})";
  log(LogLevel::debug, "[http] a connection too many was turned away");
  if (!tls) std::ignore = ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
  char unread[16384];  // what is left unread would make the end a reset, and take the answer from some clients
  std::ignore = ::recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
  ::close(fd);
}

void check_options(const ServerOptions& options, bool has_keys) {
  if (!options.port && options.unix_socket.empty()) {
    fail(ErrorCode::invalid_argument, "server", "expected a TCP port or a Unix socket but got neither");
  }
  if (options.worker_threads < 1) {
    fail(ErrorCode::invalid_argument, "server", "expected at least 1 worker thread but got ", options.worker_threads);
  }
  if (options.port && !BoundAddress{options.host}.is_loopback() && !has_keys) {
    fail(ErrorCode::invalid_argument, options.host,
         "expected an API key for an address that other machines may reach, or a loopback address");
  }
}

}  // namespace

struct Server::Impl {
  /// A listening socket in the io thread's care.
  struct Door {
    Door(asio::io_context& io, Listener its_listener)
        : listener(std::move(its_listener)), descriptor(io, ::dup(listener->fd())), pause(io) {}
    std::optional<Listener> listener;  // none when it is closed: handlers may hold the door for a moment longer
    asio::posix::stream_descriptor descriptor;
    asio::steady_timer pause;
  };

  explicit Impl(const ServerOptions& its_options) : options(its_options) {}
  std::shared_ptr<ApiKeys> load_keys() const;
  void open(const Router& router);
  void run_io();
  void wait_at(std::shared_ptr<Door> door);
  void accept_all(const std::shared_ptr<Door>& door);
  void admit(int fd, const sockaddr_storage& address, bool is_unix);
  void on_closed(Connection& connection);
  void deliver();
  void on_io_thread(std::function<void()> task);
  void close_doors();

  const ServerOptions options;
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::shared_ptr<Site> site = std::make_shared<Site>();
  std::vector<std::shared_ptr<Door>> doors;        // the io thread
  std::map<std::string, std::size_t> per_address;  // the io thread
  std::uint16_t port = 0;
  mutable std::mutex mutex;
  std::condition_variable emptied;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;  // mutex; changed by the io thread alone
  std::shared_ptr<asio::ssl::context> tls;                                   // mutex
  std::mutex stopping;
  bool stopped = false;  // stopping
  std::thread thread;
};

std::shared_ptr<ApiKeys> Server::Impl::load_keys() const {
  std::vector<std::string> keys = options.keys;
  if (!options.key_file.empty()) {
    for (std::string& key : read_key_file(options.key_file)) keys.push_back(std::move(key));
  }
  return std::make_shared<ApiKeys>(keys);
}

void Server::Impl::open(const Router& router) {
  const auto keys = load_keys();
  check_options(options, !keys->empty());
  if (options.tls) tls = load_tls(*options.tls);
  raise_file_limit(options.limits.max_connections);
  if (options.port) {
    doors.push_back(std::make_shared<Door>(io, Listener::tcp(options.host, *options.port)));
    port = doors.back()->listener->port();
  }
  if (!options.unix_socket.empty()) {
    doors.push_back(std::make_shared<Door>(io, Listener::unix_socket(options.unix_socket)));
  }
  site->limits = options.limits;
  site->log_requests = options.log_requests;
  site->gate = {{options.host, port, options.tls.has_value()},
                options.allowed_hosts,
                options.allowed_origins,
                options.limits.max_body_bytes};
  site->router = &router;
  site->set_keys(keys);
  site->hub = std::make_shared<Hub>(options.worker_threads, options.limits.max_pending_bytes,
                                    [this] { asio::post(io, [this] { deliver(); }); });
  site->on_closed = [this](Connection& connection) { on_closed(connection); };
  for (const auto& door : doors) wait_at(door);
  thread = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "http-io");
    run_io();
  });
}

/// A fault in one connection's callback (no memory, say) does not end the others.
void Server::Impl::run_io() {
  while (true) {
    try {
      io.run();
      return;
    } catch (const std::exception& error) {
      log(LogLevel::warning, std::string("[http] a connection failed: ") + error.what());
    }
  }
}

void Server::Impl::wait_at(std::shared_ptr<Door> door) {
  auto& descriptor = door->descriptor;
  descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                        [this, door = std::move(door)](const error_code& error) {
                          if (!error) accept_all(door);
                        });
}

void Server::Impl::accept_all(const std::shared_ptr<Door>& door) {
  if (!door->listener) return;
  for (int i = 0; i < 64; ++i) {  // others have a turn, too
    sockaddr_storage address = {};
    socklen_t size = sizeof(address);
    const int fd =
        ::accept4(door->listener->fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      admit(fd, address, door->listener->is_unix());
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log(LogLevel::warning, "[http] no connection can be taken: " + std::string(std::strerror(errno)));
      door->pause.expires_after(kAcceptPause);
      door->pause.async_wait([this, door](const error_code& error) {
        if (!error) wait_at(door);
      });
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      break;
    }
  }
  wait_at(door);
}

void Server::Impl::admit(int fd, const sockaddr_storage& address, bool is_unix) {
  Peer peer{address_text(address), is_unix};
  const Limits& limits = site->limits;
  const auto others = per_address.find(peer.address);
  const bool crowded = !is_unix && limits.max_connections_per_address > 0 && others != per_address.end() &&
                       others->second >= limits.max_connections_per_address;
  std::shared_ptr<Connection> connection;
  {
    const std::lock_guard lock(mutex);
    const auto context = is_unix ? nullptr : tls;
    if (crowded || connections.size() >= limits.max_connections) return turn_away(fd, context != nullptr);
    Socket socket(io);
    error_code error;
    socket.assign({address.ss_family, 0}, fd, error);
    if (error) {
      ::close(fd);
      return;
    }
    if (!is_unix) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    connection = std::make_shared<Connection>(site, std::move(socket), std::move(peer), context);
    connections.emplace(connection.get(), connection);
  }
  if (!is_unix) ++per_address[connection->peer().address];
  connection->start();
}

void Server::Impl::on_closed(Connection& connection) {
  if (!connection.peer().is_unix) {
    const auto found = per_address.find(connection.peer().address);
    if (--found->second == 0) per_address.erase(found);
  }
  const std::lock_guard lock(mutex);
  connections.erase(&connection);
  if (connections.empty()) emptied.notify_all();
}

void Server::Impl::deliver() {
  for (const auto& answer : site->hub->mailbox.take()) {
    if (answer->connection != nullptr) answer->connection->answer_ready();
  }
}

/// Returns when it has run there.
void Server::Impl::on_io_thread(std::function<void()> task) {
  std::promise<void> done;
  asio::post(io, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void Server::Impl::close_doors() {
  for (const auto& door : doors) {
    error_code ignored;
    door->descriptor.close(ignored);
    door->pause.cancel(ignored);
    door->listener.reset();
  }
  doors.clear();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { stop(); }

std::unique_ptr<Server> Server::start(const ServerOptions& options, const Router& router) {
  auto impl = std::make_unique<Impl>(options);
  impl->open(router);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const noexcept { return impl_->port; }

Server::Counts Server::counts() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->connections.size(), impl_->site->hub->num_requests};
}

void Server::reload_keys() {
  auto keys = impl_->load_keys();
  check_options(impl_->options, !keys->empty());
  impl_->site->set_keys(std::move(keys));
}

void Server::reload_tls() {
  if (!impl_->options.tls) return;
  auto tls = load_tls(*impl_->options.tls);
  const std::lock_guard lock(impl_->mutex);
  impl_->tls.swap(tls);
}

void Server::stop_accepting() {
  const std::lock_guard lock(impl_->stopping);
  if (!impl_->stopped) impl_->on_io_thread([&] { impl_->close_doors(); });
}

bool Server::drain(std::chrono::milliseconds time) {
  {
    const std::lock_guard stopping(impl_->stopping);  // not while it waits: stop() may cut that short
    if (impl_->stopped) return true;
    impl_->on_io_thread([&] {
      impl_->close_doors();
      impl_->site->draining = true;
      const auto all = impl_->connections;  // closing one takes it out
      for (const auto& [key, connection] : all) connection->drain();
    });
  }
  std::unique_lock lock(impl_->mutex);
  return impl_->emptied.wait_for(lock, time, [&] { return impl_->connections.empty(); });
}

void Server::stop() {
  const std::lock_guard lock(impl_->stopping);
  if (impl_->stopped) return;
  impl_->stopped = true;
  impl_->on_io_thread([&] {
    impl_->close_doors();
    const auto all = impl_->connections;
    for (const auto& [key, connection] : all) connection->close();
  });
  impl_->site->hub->workers.stop();
  impl_->site->hub->mailbox.close();
  impl_->work.reset();
  impl_->thread.join();
}

}  // namespace xlstm::server
