// Many requests at once: one engine on a thread of its own, fed from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "xlstm/engine/engine.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::engine {

using scheduler::Outcome;
using scheduler::RequestId;
using scheduler::Stats;
using scheduler::Submission;

struct ServiceOptions {
  /// max_state_bytes 0: a quarter of the memory that is left, at least two states; max_cache_bytes 0: half of that.
  scheduler::Options scheduler = {};
  bool prefix_cache = true;
  /// Where the prefix cache puts what it evicts, and what is swapped out (scheduler::DirectoryStore); empty: nowhere.
  /// The model's hash is computed for it, which reads every weight.
  std::filesystem::path state_cache = {};
  std::size_t state_cache_bytes = std::size_t{10} << 30;
  /// Prompts of scheduler.worker_tokens and more are read by so many threads, each with its own backend over the same
  /// model: beside decoding, not between its steps.
  int prefill_workers = 0;
  int prefill_threads = 0;  // of each; 0: half of the engine's, at least one
};

/// Thread safety: every method from any thread; listeners are called on the engine's thread and must not wait for it.
/// The destructor cancels what is left and returns when every listener has heard its end and, with a state cache, the
/// prefix cache is written.
class Service {
 public:
  using Load = std::function<std::unique_ptr<Engine>()>;
  /// Calls `load` on the engine's thread (an MLX stream belongs to its thread). Errors: those of load; overloaded (not
  /// even one state fits); invalid_argument (the state cache is no directory to write to).
  static std::unique_ptr<Service> start(const Load& load, const ServiceOptions& options);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Errors: those of Scheduler::submit, at once.
  RequestId submit(Submission submission);
  /// Before the next step does anything for it. Of no effect on one that has ended.
  void cancel(RequestId id);
  /// Ends every request so that it can go on elsewhere (Outcome::rest) and returns when all listeners have heard it.
  /// What is submitted later runs as ever.
  void drain();
  /// The end of a request as a future. Errors: as submit(); the future throws the request's own fault.
  std::future<Outcome> run(Submission submission);
  /// Runs `action(engine, scheduler)` on the engine's thread between two steps.
  template <class Action>
  auto call(Action action) {
    using Value = std::invoke_result_t<Action, Engine&, scheduler::Scheduler&>;
    auto task = std::make_shared<std::packaged_task<Value(Engine&, scheduler::Scheduler&)>>(std::move(action));
    std::future<Value> value = task->get_future();
    post([this, task] { (*task)(*engine_, *scheduler_); });
    return value;
  }

  /// As of the end of the last step.
  Stats stats() const;
  const model::Model& model() const noexcept { return engine_->model(); }
  const tokenizer::Tokenizer& tokenizer() const noexcept { return engine_->tokenizer(); }
  /// What does not change and may be read from any thread: encode, chat_template, constraint, stop_ids, source,
  /// state_nbytes.
  const Engine& engine() const noexcept { return *engine_; }

 private:
  Service() = default;
  void load(const Load& load, const ServiceOptions& options);
  void loop();
  bool take_orders();
  void post(std::function<void()> command);

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Orders, taken before the next step.
  std::vector<std::pair<RequestId, Submission>> submissions_;
  std::vector<RequestId> cancellations_;
  std::vector<std::function<void()>> commands_;
  bool stop_ = false;
  Stats stats_;  // of the scheduler
  std::size_t refused_ = 0;
  RequestId last_id_ = 0;
  std::thread thread_;
};

}  // namespace xlstm::engine
