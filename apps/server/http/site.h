// What the connections of a server share. Internal to the transport.
#pragma once

#include <memory>
#include <mutex>

#include "apps/server/http/answer.h"
#include "apps/server/http/gate.h"
#include "apps/server/http/options.h"

namespace xlstm::server {

struct Site {
  Limits limits;
  bool log_requests = true;
  GateOptions gate;
  const Router* router = nullptr;
  std::shared_ptr<Hub> hub;
  bool draining = false;                       // the io thread alone: a connection ends with its answer
  std::function<void(Connection&)> on_closed;  // called on the io thread

  std::shared_ptr<const ApiKeys> keys() const {
    const std::lock_guard lock(keys_mutex);
    return current_keys;
  }
  void set_keys(std::shared_ptr<const ApiKeys> keys) {
    const std::lock_guard lock(keys_mutex);
    current_keys = std::move(keys);
  }

 private:
  mutable std::mutex keys_mutex;
  std::shared_ptr<const ApiKeys> current_keys = std::make_shared<ApiKeys>();
};

/// Runs a handler on a worker thread; what it throws becomes an error answer.
void run_handler(const Handler& handler, const std::shared_ptr<Answer>& answer, HttpRequest request);

/// "method=GET path="/v1/models" status=200 bytes=310 ms=0.4 request_id=req-..." : no query, no body.
void log_access(const HttpRequest& request, const Answer& answer, double milliseconds);

}  // namespace xlstm::server
