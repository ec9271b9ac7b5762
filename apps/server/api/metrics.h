// What Prometheus scrapes: the engine's counters, and those of HTTP.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "apps/server/http/exchange.h"
#include "xlstm/engine/service.h"

namespace xlstm::server::api {

class StateStore;

/// Thread safety: every method from any thread.
class Metrics {
 public:
  /// Both have to outlive it.
  Metrics(const engine::Service& service, const StateStore& states);
  ~Metrics();

  /// All of them, in the Prometheus text format 0.0.4.
  std::string text() const;
  /// An answer has ended. `route`: "/v1/states/{id}", so that there are never more than routes.
  void count(const std::string& route, int status, std::chrono::duration<double> seconds);
  /// `handler`, with its answers counted.
  Handler counted(Handler handler, const std::string& route);

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace xlstm::server::api
