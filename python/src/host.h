// One engine on a thread of its own, as Python objects share it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "python/src/ticket.h"
#include "python/src/wait.h"
#include "python/src/wakes.h"
#include "xlstm/engine/service.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::python {

/// What of an engine never changes and its thread alone may read.
struct Facts {
  std::string backend, activation_dtype, state_dtype, arithmetic;
  int num_threads = 0;
  std::size_t segment = 1;  // Backend::prefill_segment
};

/// Every method with the GIL. The engine's thread never takes it, so that no wait for that thread can be for ever.
/// States and tickets share it; what runs on the engine's thread must not.
class Host {
 public:
  using Load = std::function<std::unique_ptr<engine::Engine>(const engine::LoadOptions&)>;
  /// progress: called with fractions, or None. Errors: those of Service::start.
  static std::shared_ptr<Host> start(const Load& load, const engine::LoadOptions& options,
                                     const engine::ServiceOptions& service_options, const nb::object& progress);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() { close(); }

  /// Errors: invalid_argument (closed), unsupported (in a process that was forked off: its threads are not there).
  std::shared_ptr<engine::Service> service() const;
  bool is_open() const noexcept { return service_ != nullptr; }
  /// Cancels what is left and waits until the engine's thread has ended. In a forked process it only lets go.
  void close();
  void serve_stats(const std::string& path);

  /// The future of `action(engine)`, run on the engine's thread; it must own what it uses.
  template <class Action>
  auto call(Action action) const {
    return service()->call(
        [action = std::move(action)](engine::Engine& engine, scheduler::Scheduler&) mutable { return action(engine); });
  }

  /// For work that may take long: close() sets it too.
  CancelFlag new_cancel_flag();
  std::shared_ptr<Ticket> new_ticket() { return std::make_shared<Ticket>(wakes_, new_cancel_flag()); }

  const Facts& facts() const noexcept { return facts_; }
  const engine::LoadOptions& load_options() const noexcept { return load_options_; }
  const std::shared_ptr<Wakes>& wakes() const noexcept { return wakes_; }
  const std::shared_ptr<Drained>& drained() const noexcept { return drained_; }

 private:
  Host() = default;

  pid_t process_ = 0;
  std::shared_ptr<engine::Service> service_;
  std::vector<std::unique_ptr<engine::StatsSocket>> sockets_;  // end before the service that they ask
  std::shared_ptr<Wakes> wakes_ = std::make_shared<Wakes>();
  std::shared_ptr<Drained> drained_ = std::make_shared<Drained>();
  std::vector<std::weak_ptr<std::atomic<bool>>> cancel_flags_;
  engine::LoadOptions load_options_;
  Facts facts_;
};

}  // namespace xlstm::python
