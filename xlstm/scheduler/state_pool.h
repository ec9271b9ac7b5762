// States as values: shared until they are written, counted in bytes.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "xlstm/backend/backend.h"

namespace xlstm::scheduler {

/// A handle to a state. A copy is O(1) and shares it; StatePool::writable makes it the handle's own.
/// Empty handles hold nothing.
class SharedState {
 public:
  SharedState() = default;
  explicit operator bool() const noexcept { return state_ != nullptr; }
  const backend::State& read() const { return *state_; }
  bool shared() const noexcept { return state_.use_count() > 1; }

 private:
  friend class StatePool;
  explicit SharedState(std::shared_ptr<backend::State> state) : state_(std::move(state)) {}
  std::shared_ptr<backend::State> state_;
};

/// Makes every state of a scheduler, at most so many bytes of them. Not thread-safe. Handles may outlive it, and may be
/// copied and dropped on any thread; what is in a state is the scheduler's thread's alone.
class StatePool {
 public:
  /// Gives up a state that nobody needs, as a cached one; false: there is none.
  using Reclaim = std::function<bool()>;

  /// max_bytes: room for at least one state, else overloaded.
  StatePool(backend::Backend& backend, std::size_t max_bytes, Reclaim reclaim = {});

  /// A fresh state. Errors: overloaded (no room, and nothing to reclaim).
  SharedState make();
  /// The state behind the handle, for writing: a copy of its own first if it is shared. Errors: as make().
  backend::State& writable(SharedState& state);

  /// A state that no pool counts: for what comes from elsewhere, or leaves.
  static SharedState adopt(std::unique_ptr<backend::State> state);
  /// The handle's state, no longer counted; a copy if it is shared.
  static SharedState detach(SharedState state);
  /// Lets go of a state: what is returned is not counted any more; a copy if somebody else holds it.
  static std::shared_ptr<const backend::State> release(SharedState state);
  /// Whether make() or writable() has room, after reclaiming what can be.
  bool has_room();
  bool has_room_to_write(const SharedState& state);

  /// Of one state.
  std::size_t state_bytes() const noexcept { return state_bytes_; }
  /// Of all states there are, a shared one counted once.
  std::size_t used_bytes() const noexcept { return *count_ * state_bytes_; }
  std::size_t max_bytes() const noexcept { return max_states_ * state_bytes_; }
  /// States for which there is room without reclaiming.
  std::size_t free_states() const noexcept { return max_states_ - *count_; }
  /// Copies made for writing so far.
  std::size_t copies() const noexcept { return copies_; }

 private:
  struct Uncount;
  [[noreturn]] void refuse() const;
  std::shared_ptr<backend::State> counted(std::unique_ptr<backend::State> state);

  backend::Backend& backend_;
  Reclaim reclaim_;
  std::size_t state_bytes_, max_states_;
  std::shared_ptr<std::atomic<std::size_t>> count_ = std::make_shared<std::atomic<std::size_t>>(0);  // of states alive
  std::size_t copies_ = 0;
};

}  // namespace xlstm::scheduler
