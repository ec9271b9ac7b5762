#include "python/src/host.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "xlstm/base/error.h"

namespace xlstm::python {
namespace {

/// On a thread of its own, since a load takes seconds and tells its progress from the engine's thread.
std::shared_ptr<engine::Service> start_service(const engine::Service::Load& load, const engine::ServiceOptions& options,
                                               const CancelFlag& cancel, const std::function<void()>& meanwhile) {
  std::packaged_task<std::shared_ptr<engine::Service>()> task(
      [&] { return std::shared_ptr<engine::Service>(engine::Service::start(load, options)); });
  auto future = task.get_future();
  std::thread loader(std::move(task));
  const auto join = [&] {
    const nb::gil_scoped_release unlocked;
    loader.join();
  };
  try {
    auto service = wait(std::move(future), cancel, meanwhile);
    join();
    return service;
  } catch (...) {
    join();
    throw;
  }
}

Facts facts_of(engine::Engine& engine) {
  const backend::Backend& backend = engine.backend();
  return {std::string(backend.name()), backend.activation_dtype(), std::string(dtype_name(backend.state_dtype())),
          engine.arithmetic(),         backend.num_threads(),      std::max<std::size_t>(backend.prefill_segment(), 1)};
}

}  // namespace

std::shared_ptr<Host> Host::start(const Load& load, const engine::LoadOptions& options,
                                  const engine::ServiceOptions& service_options, const nb::object& progress) {
  const std::shared_ptr<Host> host(new Host());
  host->process_ = getpid();
  host->load_options_ = options;
  const auto cancel = std::make_shared<std::atomic<bool>>(false);
  std::atomic<double> fraction{0};
  double told = -1;
  const auto tell = [&] {
    if (progress.is_none() || told == fraction) return;
    told = fraction;
    progress(told);
  };
  host->load_options_.on_progress = [&](double done) {
    if (*cancel) fail(ErrorCode::cancelled, "load", "cancelled");
    fraction = done;
  };
  tell();
  host->service_ = start_service([&] { return load(host->load_options_); }, service_options, cancel, tell);
  host->load_options_.on_progress = {};
  host->facts_ = wait(host->call(facts_of));
  tell();
  return host;
}

std::shared_ptr<engine::Service> Host::service() const {
  if (!service_) fail(ErrorCode::invalid_argument, "engine", "expected an open engine but it was closed");
  if (getpid() != process_) {
    fail(ErrorCode::unsupported, "engine", "expected the process that loaded the model (", process_, ") but this one (",
         getpid(), ") was forked off it; load the model there");
  }
  return service_;
}

void Host::close() {
  if (!service_) return;
  auto service = std::exchange(service_, nullptr);
  auto sockets = std::exchange(sockets_, {});
  if (getpid() != process_) {  // threads to join are not there, and the sockets' files are the parent's
    new std::shared_ptr<engine::Service>(std::move(service));
    new std::vector<std::unique_ptr<engine::StatsSocket>>(std::move(sockets));
    return;
  }
  wakes_->close();
  for (const auto& weak : cancel_flags_) {
    if (const CancelFlag flag = weak.lock()) *flag = true;
  }
  const nb::gil_scoped_release unlocked;
  sockets.clear();
  service.reset();
}

CancelFlag Host::new_cancel_flag() {
  std::erase_if(cancel_flags_, [](const auto& flag) { return flag.expired(); });
  auto flag = std::make_shared<std::atomic<bool>>(false);
  cancel_flags_.push_back(flag);
  return flag;
}

void Host::serve_stats(const std::string& path) {
  const auto service = this->service();
  sockets_.push_back(
      std::make_unique<engine::StatsSocket>(path, [service = service.get()] { return service->stats(); }));
}

}  // namespace xlstm::python
