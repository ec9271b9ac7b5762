// Where snapshots go that the prefix cache gives up, to be found again: the tier below RAM.
#pragma once

#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/base/token_id.h"
#include "xlstm/scheduler/prefix_cache.h"
#include "xlstm/scheduler/stats.h"

namespace xlstm::scheduler {

/// A snapshot in plain memory: the state as StateSpec::slot_size values, exactly.
struct HostSnapshot {
  std::size_t tokens = 0;  // that it has read
  std::vector<float> slot;
  std::vector<float> logits;  // [V]; empty: not kept
  Path path = Path::other;
};

/// A state that is out of memory until its request goes on; gone with the object.
class SwappedState {
 public:
  virtual ~SwappedState() = default;
  /// [StateSpec::slot_size], exactly. Errors, by the future: corrupt_file, internal (the system's reason).
  virtual std::future<std::vector<float>> read() = 0;
};

/// Thread safety: one thread, the scheduler's. Nothing but flush() waits for a disk.
class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;
  /// Takes a snapshot of a state that has read `ids`. REQUIRES: nobody writes the state any more. False: it was not
  /// taken, as too many wait to be written or it is larger than the store.
  virtual bool put(std::vector<TokenId> ids, std::shared_ptr<const backend::State> state, std::vector<float> logits,
                   Path path) = 0;
  /// Begins to read the snapshot of the longest beginning of `ids` that is longer than `longer_than` and from which
  /// logits of all of `ids` can be had (see PrefixCache::find). An invalid future: there is none. One without a value:
  /// what was found could not be read, and will not be found again.
  virtual std::future<std::optional<HostSnapshot>> find(std::span<const TokenId> ids, std::size_t longer_than,
                                                        bool exact) = 0;
  /// Whether so many states of sequences that have to wait would be taken now.
  virtual bool can_swap_out(std::size_t states) const = 0;
  /// Takes one. REQUIRES: as put(), and can_swap_out. The store must outlive it.
  virtual std::unique_ptr<SwappedState> swap_out(std::shared_ptr<const backend::State> state) = 0;
  /// Returns when everything that was taken is written.
  virtual void flush() = 0;
  virtual StoreStats stats() const = 0;
};

}  // namespace xlstm::scheduler
