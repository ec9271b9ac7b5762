// A session of an engine as a Python value.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "python/src/host.h"

namespace xlstm::python {

/// No call changes a session that a State holds: whoever reads a token works on a fork, or takes it away (donate).
class State {
 public:
  State(std::shared_ptr<Host> host, engine::Session session) : host_(std::move(host)), session_(std::move(session)) {}
  /// Errors: invalid_argument (donated).
  const engine::Session& session() const;
  /// To be written: a fork, or with `donate` the session itself, and this State is empty from now on. Errors:
  /// invalid_argument (donated before, or of another engine than `host`).
  engine::Session take(const Host& host, bool donate);
  const std::shared_ptr<Host>& host() const noexcept { return host_; }

 private:
  std::shared_ptr<Host> host_;  // longer than the session
  std::optional<engine::Session> session_;
};

void bind_state(nb::module_& module);

}  // namespace xlstm::python
