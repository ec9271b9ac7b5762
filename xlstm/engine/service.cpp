#include "xlstm/engine/service.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/scheduler/directory_store.h"

namespace xlstm::engine {
namespace {

scheduler::Options with_defaults(const ServiceOptions& options, std::size_t state_bytes) {
  scheduler::Options made = options.scheduler;
  if (made.max_state_bytes == 0) {
    made.max_state_bytes = std::max(checkpoint::available_memory_bytes() / 4, 2 * state_bytes);
  }
  if (!options.prefix_cache) {
    made.max_cache_bytes = 0;
  } else if (made.max_cache_bytes == 0) {
    made.max_cache_bytes = made.max_state_bytes / 2;
  }
  return made;
}

std::unique_ptr<scheduler::SnapshotStore> open_store(const ServiceOptions& options, Engine& engine) {
  if (options.state_cache.empty()) return nullptr;
  const backend::Backend& backend = engine.backend();
  scheduler::StoreOwner owner{engine.model().state_spec,
                              engine.model_hash(),
                              engine.tokenizer().fingerprint(),
                              engine.arithmetic(),
                              backend.state_dtype(),
                              engine.model().config.vocab_size,
                              backend.prefill_segment(),
                              /*states_are_memory=*/backend.name() == "cpu"};
  scheduler::DirectoryOptions directory{options.state_cache, options.state_cache_bytes};
  return std::make_unique<scheduler::DirectoryStore>(std::move(directory), std::move(owner));
}

std::vector<std::unique_ptr<scheduler::PrefillWorker>> make_workers(const ServiceOptions& options, Engine& engine) {
  std::vector<std::unique_ptr<scheduler::PrefillWorker>> workers;
  const int threads =
      options.prefill_threads > 0 ? options.prefill_threads : std::max(engine.backend().num_threads() / 2, 1);
  for (int i = 0; i < options.prefill_workers; ++i) {
    workers.push_back(
        std::make_unique<scheduler::ThreadPrefillWorker>([&engine, threads] { return engine.make_backend(threads); }));
  }
  return workers;
}

}  // namespace

std::unique_ptr<Service> Service::start(const Load& load, const ServiceOptions& options) {
  std::unique_ptr<Service> service(new Service());
  std::promise<void> loaded;
  std::future<void> ready = loaded.get_future();
  service->thread_ = std::thread([&service = *service, &load, &options, loaded = std::move(loaded)]() mutable {
    try {
      service.load(load, options);
    } catch (...) {
      loaded.set_exception(std::current_exception());
      return;
    }
    loaded.set_value();
    service.loop();
  });
  ready.get();
  return service;
}

void Service::load(const Load& load, const ServiceOptions& options) {
  engine_ = load();
  scheduler_ = std::make_unique<scheduler::Scheduler>(engine_->backend(), engine_->tokenizer(),
                                                      with_defaults(options, engine_->state_nbytes()),
                                                      open_store(options, *engine_), make_workers(options, *engine_));
}

Service::~Service() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Service::loop() {
  while (take_orders()) {
    try {
      scheduler_->step();
    } catch (...) {  // no request's own fault: none of these can go on, but the next ones can
      log(LogLevel::warning, "a step of the engine failed; every request in it ends");
      scheduler_->fail_all(std::current_exception());
    }
    const std::lock_guard lock(mutex_);
    stats_ = scheduler_->stats();
  }
  scheduler_->cancel_all();
  scheduler_->persist_cache();
  scheduler_.reset();  // states and MLX arrays end on the thread they were made on
  engine_.reset();
}

/// Waits until there is something to do, and takes what was asked for. False: it is time to end.
bool Service::take_orders() {
  std::vector<std::function<void()>> commands;
  {
    std::unique_lock lock(mutex_);
    if (scheduler_->idle()) {
      wake_.wait(lock, [&] { return stop_ || !submissions_.empty() || !commands_.empty(); });
    }
    for (auto& [id, submission] : submissions_) scheduler_->add(id, std::move(submission));
    submissions_.clear();
    for (const RequestId id : cancellations_) scheduler_->cancel(id);
    cancellations_.clear();
    stats_ = scheduler_->stats();
    commands.swap(commands_);
    if (stop_) return false;
  }
  for (const auto& command : commands) command();  // their own faults go into their futures
  return true;
}

RequestId Service::submit(Submission submission) {
  scheduler_->check(submission);
  RequestId id = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t most = scheduler_->options().max_waiting, waiting = stats_.waiting + submissions_.size();
    if (waiting >= most) {
      ++refused_;
      fail(ErrorCode::overloaded, "submit", "expected at most ", most, " waiting requests but there are ", waiting);
    }
    id = ++last_id_;
    submissions_.emplace_back(id, std::move(submission));
  }
  wake_.notify_one();
  return id;
}

void Service::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  cancellations_.push_back(id);  // no need to wake: there is something to cancel only while it runs
}

void Service::drain() {
  call([](Engine&, scheduler::Scheduler& scheduler) { scheduler.drain(); }).get();
}

std::future<Outcome> Service::run(Submission submission) {
  auto ended = std::make_shared<std::promise<Outcome>>();
  std::future<Outcome> outcome = ended->get_future();
  submission.listener.on_end = [ended, on_end = std::move(submission.listener.on_end)](Outcome found) {
    if (on_end) on_end(found);
    found.error ? ended->set_exception(found.error) : ended->set_value(std::move(found));
  };
  submit(std::move(submission));
  return outcome;
}

Stats Service::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.waiting += submissions_.size();
  stats.submitted += submissions_.size();
  stats.refused += refused_;
  return stats;
}

void Service::post(std::function<void()> command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  wake_.notify_one();
}

}  // namespace xlstm::engine
