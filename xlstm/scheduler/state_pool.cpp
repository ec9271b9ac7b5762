#include "xlstm/scheduler/state_pool.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::scheduler {

StatePool::StatePool(backend::Backend& backend, std::size_t max_bytes, Reclaim reclaim)
    : backend_(backend),
      reclaim_(std::move(reclaim)),
      state_bytes_(std::max<std::size_t>(backend.model().state_spec.nbytes(backend.state_dtype()), 1)),
      max_states_(max_bytes / state_bytes_) {
  if (max_states_ > 0) return;
  fail(ErrorCode::overloaded, "states", "expected room for at least one state of ", state_bytes_, " bytes but got ",
       max_bytes);
}

/// Ends a state; the pool has forgotten one without a count.
struct StatePool::Uncount {
  std::shared_ptr<std::atomic<std::size_t>> count;
  void operator()(backend::State* dead) {
    delete dead;
    if (count) --*count;
  }
};

bool StatePool::has_room() {
  while (*count_ >= max_states_) {
    if (!reclaim_ || !reclaim_()) return false;
  }
  return true;
}

bool StatePool::has_room_to_write(const SharedState& state) {
  while (state.shared() && *count_ >= max_states_) {  // reclaiming may give up what it is shared with
    if (!reclaim_ || !reclaim_()) return false;
  }
  return true;
}

void StatePool::refuse() const {
  fail(ErrorCode::overloaded, "states", "expected room for another state of ", state_bytes_, " bytes but all ",
       max_states_, " are in use");
}

std::shared_ptr<backend::State> StatePool::counted(std::unique_ptr<backend::State> state) {
  ++*count_;
  return {state.release(), Uncount{count_}};
}

SharedState StatePool::adopt(std::unique_ptr<backend::State> state) {
  return SharedState({state.release(), Uncount{nullptr}});
}

SharedState StatePool::detach(SharedState state) {
  XLSTM_CHECK(state);
  if (state.shared()) return adopt(state.read().clone());
  Uncount& end = *std::get_deleter<Uncount>(state.state_);
  if (end.count) --*std::exchange(end.count, nullptr);
  return state;
}

std::shared_ptr<const backend::State> StatePool::release(SharedState state) { return detach(std::move(state)).state_; }

SharedState StatePool::make() {
  if (!has_room()) refuse();
  return SharedState(counted(backend_.make_state()));
}

backend::State& StatePool::writable(SharedState& state) {
  XLSTM_CHECK(state);
  if (!has_room_to_write(state)) refuse();
  if (state.shared()) {
    state.state_ = counted(state.state_->clone());
    ++copies_;
  }
  return *state.state_;
}

}  // namespace xlstm::scheduler
