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

void StatePool::make_room() {
  while (*count_ >= max_states_) {
    if (reclaim_ && reclaim_()) continue;
    fail(ErrorCode::overloaded, "states", "expected room for another state of ", state_bytes_, " bytes but all ",
         max_states_, " are in use");
  }
}

std::shared_ptr<backend::State> StatePool::counted(std::unique_ptr<backend::State> state) {
  ++*count_;
  return {state.release(), [count = count_](backend::State* dead) {
            delete dead;
            --*count;
          }};
}

SharedState StatePool::make() {
  make_room();
  return SharedState(counted(backend_.make_state()));
}

backend::State& StatePool::writable(SharedState& state) {
  XLSTM_CHECK(state);
  if (!state.shared()) return *state.state_;
  make_room();  // may give up what it was shared with
  if (state.shared()) {
    state.state_ = counted(state.state_->clone());
    ++copies_;
  }
  return *state.state_;
}

}  // namespace xlstm::scheduler
