// A store without a disk: what it keeps can be damaged, and arrives from another thread.
#pragma once

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "xlstm/model/model.h"
#include "xlstm/scheduler/background.h"
#include "xlstm/scheduler/snapshot_store.h"

namespace xlstm::scheduler {

class MemoryStore final : public SnapshotStore {
 public:
  MemoryStore(const model::Model& model, std::size_t max_snapshots)
      : floats_(static_cast<std::size_t>(model.state_spec.slot_size)) {
    stats_.max_bytes = max_snapshots;
  }

  bool put(std::vector<TokenId> ids, std::shared_ptr<const backend::State> state, std::vector<float> logits,
           Path path) override {
    const std::size_t tokens = ids.size();
    kept_.push_back({std::move(ids), {tokens, values(*state), std::move(logits), path}});
    ++stats_.writes;
    if (kept_.size() > stats_.max_bytes) {
      kept_.pop_front();
      ++stats_.evictions;
    }
    return true;
  }

  std::future<std::optional<HostSnapshot>> find(std::span<const TokenId> ids, std::size_t longer_than,
                                                bool exact) override {
    auto best = kept_.end();
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      const HostSnapshot& s = kept->snapshot;
      if (s.tokens <= longer_than || s.tokens > ids.size()) continue;
      if (!std::equal(kept->ids.begin(), kept->ids.end(), ids.begin())) continue;
      const bool at_end = s.tokens == ids.size();
      if (at_end && s.logits.empty()) continue;
      if (exact && s.path != Path::aligned && !(at_end && s.path == Path::prompt_end)) continue;
      if (best == kept_.end() || s.tokens > best->snapshot.tokens) best = kept;
    }
    if (best == kept_.end()) return {};
    std::optional<HostSnapshot> found;
    if (best->damaged) {
      ++stats_.damaged;
      kept_.erase(best);
    } else {
      ++stats_.reads;
      found = best->snapshot;
    }
    return later(std::move(found));
  }

  bool can_swap_out(std::size_t) const override { return !blocked_; }
  std::unique_ptr<SwappedState> swap_out(std::shared_ptr<const backend::State> state) override {
    ++swapped_;
    return std::make_unique<Swapped>(*this, values(*state));
  }
  void flush() override { background_.wait(); }
  StoreStats stats() const override {
    StoreStats stats = stats_;
    stats.snapshots = stats.bytes = kept_.size();
    return stats;
  }

  /// The next find() of snapshot `index` (none: of no effect) cannot read it.
  void damage(std::size_t index) {
    if (index < kept_.size()) std::next(kept_.begin(), std::ptrdiff_t(index))->damaged = true;
  }
  void block_swaps(bool blocked) { blocked_ = blocked; }
  std::size_t swapped_states() const { return swapped_; }

 private:
  struct Kept {
    std::vector<TokenId> ids;
    HostSnapshot snapshot;
    bool damaged = false;
  };
  class Swapped final : public SwappedState {
   public:
    Swapped(MemoryStore& store, std::vector<float> values) : store_(store), values_(std::move(values)) {}
    ~Swapped() override { --store_.swapped_; }
    std::future<std::vector<float>> read() override { return store_.later(values_); }

   private:
    MemoryStore& store_;
    std::vector<float> values_;
  };

  std::vector<float> values(const backend::State& state) const {
    std::vector<float> slot(floats_);
    state.to_host(slot);
    return slot;
  }
  template <class T>
  std::future<T> later(T value) {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> future = promise->get_future();
    background_.post([promise, value = std::move(value)]() mutable { promise->set_value(std::move(value)); });
    return future;
  }

  std::size_t floats_;
  std::list<Kept> kept_;  // the oldest first
  StoreStats stats_;
  bool blocked_ = false;
  std::size_t swapped_ = 0;
  Background background_;
};

}  // namespace xlstm::scheduler
