// xlstm serve: the model behind HTTP, until a signal ends it.
#include <fmt/format.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "apps/cli/flags.h"
#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "apps/cli/version.h"
#include "apps/server/api/api.h"
#include "apps/server/http/server.h"
#include "apps/server/http/static_files.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::cli {
namespace {

struct Options {
  ModelFlags model;
  ServiceFlags service;
  server::ServerOptions http;
  std::string model_name;  // empty: the directory's name, or that of the embedded model
  std::uint16_t port = 8080;
  bool no_tcp = false;
  std::string tls_certificate, tls_key;
  int drain_seconds = 30;
};

/// Signals that are waited for instead of handled. They are blocked before any thread is made, so that none gets them.
class WaitedSignals {
 public:
  WaitedSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~WaitedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  WaitedSignals(const WaitedSignals&) = delete;
  WaitedSignals& operator=(const WaitedSignals&) = delete;

  int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }
  /// Whether one came within a tenth of a second.
  bool came() const {
    const timespec time = {0, 100'000'000};
    return sigtimedwait(&set_, nullptr, &time) > 0;
  }

 private:
  sigset_t set_, before_;
};

/// The environment's keys stand beside those of --api-key-file, so that none has to be on a command line.
std::vector<std::string> keys_of_environment() {
  const char* key = std::getenv("XLSTM_API_KEY");
  return key == nullptr || *key == '\0' ? std::vector<std::string>() : std::vector<std::string>{key};
}

server::ServerOptions http_options(const Options& options) {
  server::ServerOptions made = options.http;
  made.port = options.no_tcp ? std::nullopt : std::optional<std::uint16_t>(options.port);
  if (options.no_tcp && made.unix_socket.empty()) {
    fail(ErrorCode::invalid_argument, "--no-tcp", "expected --unix-socket beside it but got none");
  }
  if (!options.tls_certificate.empty()) made.tls = server::TlsFiles{options.tls_certificate, options.tls_key};
  for (std::string& key : keys_of_environment()) made.keys.push_back(std::move(key));
  return made;
}

std::string served_name(const Options& options) {
  if (!options.model_name.empty()) return options.model_name;
  if (options.model.model.empty()) return "bard-8m";
  const auto path = std::filesystem::weakly_canonical(options.model.model);
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

void reload(server::Server& server, bool tls) {
  try {
    server.reload_keys();
    if (tls) server.reload_tls();
    log(LogLevel::info, "keys and certificate were read again");
  } catch (const std::exception& error) {
    log(LogLevel::warning, std::string("keys and certificate stay as they were: ") + error.what());
  }
}

/// Finishes what runs, unless the time is up or another signal comes.
void drain(server::Server& server, const WaitedSignals& signals, std::chrono::seconds time) {
  say("no new requests; those that run are finished (another signal ends them)\n");
  std::atomic<bool> drained = false;
  std::thread watch([&] {
    while (!drained) {
      if (signals.came()) return server.stop();
    }
  });
  const bool all = server.drain(time);
  drained = true;
  watch.join();
  if (!all) log(LogLevel::warning, fmt::format("some requests were not finished in {} s", time.count()));
}

void announce(const Options& options, const server::Server& server, const std::string& name) {
  const std::string& host = options.http.host;
  const std::string address = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const std::string scheme = options.tls_certificate.empty() ? "http" : "https";
  if (!options.no_tcp) say(fmt::format("{} is served at {}://{}:{}\n", name, scheme, address, server.port()));
  if (!options.http.unix_socket.empty()) {
    say(fmt::format("{} is served at the socket {}\n", name, options.http.unix_socket.string()));
  }
}

int run(const Options& options) {
  const server::ServerOptions http = http_options(options);
  const WaitedSignals signals;
  const auto service =
      engine::Service::start([&] { return load_engine(options.model); }, service_options(options.service));
  const auto stats = open_stats_socket(options.service.stats_socket, [&] { return service->stats(); });
  server::Router router;
  server::api::ApiOptions api;
  api.model = served_name(options);
  api.version = version();
  const auto context = server::api::add_routes(
      [&](const std::string& method, const std::string& path, server::Handler handler) {
        const bool open = path == "/health";
        router.add(method + " " + path, std::move(handler), open ? server::Guard::open : server::Guard::key);
      },
      *service, std::move(api));
  server::add_static_files(router, server::web_files());
  const auto server = server::Server::start(http, router);
  announce(options, *server, served_name(options));

  int signal = 0;
  while ((signal = signals.wait()) == SIGHUP) reload(*server, http.tls.has_value());
  drain(*server, signals, std::chrono::seconds(options.drain_seconds));
  server->stop();
  return signal == SIGINT ? 130 : 0;
}

void add_address_flags(CLI::App& verb, Options& options) {
  const char* group = "Address";
  verb.add_option("--host", options.http.host, "Address to listen on; one that others reach needs an API key")
      ->type_name("HOST")
      ->check(not_empty("an address"))
      ->group(group)
      ->capture_default_str();
  verb.add_option("--port", options.port, "Port; 0: any that is free")
      ->type_name("N")
      ->transform(integer_between(0, 65535))
      ->group(group)
      ->capture_default_str();
  verb.add_option("--unix-socket", options.http.unix_socket, "Also listen on a Unix socket, for this user alone")
      ->type_name("PATH")
      ->group(group);
  verb.add_flag("--no-tcp", options.no_tcp, "Listen on --unix-socket alone")->group(group);
  CLI::Option* certificate =
      verb.add_option("--tls-certificate", options.tls_certificate, "PEM, with its chain; read again on SIGHUP")
          ->type_name("FILE")
          ->check(not_empty("a file"))
          ->group(group);
  CLI::Option* key = verb.add_option("--tls-key", options.tls_key, "PEM; read again on SIGHUP")
                         ->type_name("FILE")
                         ->check(not_empty("a file"))
                         ->group(group)
                         ->needs(certificate);
  certificate->needs(key);
}

void add_access_flags(CLI::App& verb, Options& options) {
  const char* group = "Access";
  verb.add_option("--api-key-file", options.http.key_file,
                  "Keys, one a line, of which every request needs one (so does XLSTM_API_KEY); read again on SIGHUP")
      ->type_name("FILE")
      ->group(group);
  verb.add_option("--allow-host", options.http.allowed_hosts, "A further Host header to answer to: NAME or NAME:PORT")
      ->type_name("HOST")
      ->group(group);
  verb.add_option("--allow-origin", options.http.allowed_origins, "Pages of this origin may ask: https://NAME[:PORT]")
      ->type_name("ORIGIN")
      ->group(group);
}

}  // namespace

void add_serve(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("serve", "Serve the model over HTTP: OpenAI's API, and a page to chat on");
  add_address_flags(verb, *options);
  add_access_flags(verb, *options);
  verb.add_option("--model-name", options->model_name, "What requests call the model; without it its directory's name")
      ->type_name("NAME")
      ->check(not_empty("a name"))
      ->group("Model");
  verb.add_option("--drain-seconds", options->drain_seconds, "Time for running requests after SIGTERM or Ctrl-C")
      ->type_name("N")
      ->transform(integer_between(0, 86400))
      ->group("Requests")
      ->capture_default_str();
  add_service_flags(verb, options->service);
  add_model_flags(verb, options->model);
  add_chat_template_flag(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm serve --model DIR\n"
      "  curl http://127.0.0.1:8080/v1/completions -H 'Content-Type: application/json' \\\n"
      "    -d '{\"model\": \"bard-8m\", \"prompt\": \"In the beginning God\", \"max_tokens\": 32}'\n"
      "  XLSTM_API_KEY=... xlstm serve --host 0.0.0.0 --tls-certificate cert.pem --tls-key key.pem");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
