// Prompts read elsewhere than between the decode steps of an engine: on another thread, or on another machine.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/scheduler/background.h"
#include "xlstm/scheduler/snapshot_store.h"

namespace xlstm::scheduler {

/// A prompt to be read.
struct PrefillTask {
  std::vector<TokenId> ids;  // all, those included that `start` has read
  bool last = true;          // they end a prompt: logits are wanted
  HostSnapshot start;        // an empty slot: a fresh state
};

/// Thread safety: one thread, the scheduler's. What is read has the bits of the scheduler's own backend: the same
/// model, arithmetic and state dtype, cut at multiples of the segment from the first id.
class PrefillWorker {
 public:
  virtual ~PrefillWorker() = default;
  /// State, and logits if they are wanted, after the last id. `wanted` turns false when nobody waits any more; then the
  /// future may be without a value, and is never waited for. Errors, by the future: any; the prompt is then read
  /// locally.
  virtual std::future<std::optional<HostSnapshot>> submit(PrefillTask task,
                                                          std::shared_ptr<const std::atomic<bool>> wanted) = 0;
  /// Tasks that it has and that are not done.
  virtual std::size_t load() const = 0;
};

/// A thread with its own backend over the same model.
class ThreadPrefillWorker final : public PrefillWorker {
 public:
  /// Called once, on the thread of the worker, which also ends the backend. Its fault is that of every task.
  using MakeBackend = std::function<std::unique_ptr<backend::Backend>()>;
  explicit ThreadPrefillWorker(MakeBackend make);
  ~ThreadPrefillWorker() override;

  std::future<std::optional<HostSnapshot>> submit(PrefillTask task,
                                                  std::shared_ptr<const std::atomic<bool>> wanted) override;
  std::size_t load() const override { return load_; }

 private:
  std::optional<HostSnapshot> read(const PrefillTask& task, const std::atomic<bool>& wanted);

  MakeBackend make_;
  std::unique_ptr<backend::Backend> backend_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> load_ = 0;
  Background background_;  // goes first
};

/// What a path becomes by a prefill up to position `end` of a text; last: that is the end of the prompt.
Path path_after(Path before, std::size_t end, bool last, std::size_t segment) noexcept;

}  // namespace xlstm::scheduler
