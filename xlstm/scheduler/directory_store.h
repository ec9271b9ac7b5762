// Snapshots as state files in a directory that processes may share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/config/state_spec.h"
#include "xlstm/scheduler/background.h"
#include "xlstm/scheduler/snapshot_store.h"
#include "xlstm/scheduler/store_index.h"

namespace xlstm::scheduler {

struct DirectoryOptions {
  std::filesystem::path directory;          // made if it is not there
  std::size_t max_bytes = std::size_t(-1);  // of its files, states that are swapped out included
  std::size_t max_queued = 4;               // states that wait to be written: memory beside that of the pool
};

/// What a snapshot belongs to. Files of others are left alone, but count for the quota.
struct StoreOwner {
  config::StateSpec spec;
  std::string model_hash, tokenizer_hash, arithmetic;
  DType state_dtype = DType::float32;
  std::int64_t vocab_size = 0;
  std::size_t segment = 1;         // Backend::prefill_segment
  bool states_are_memory = false;  // State::to_host may be called, and a state destroyed, on any thread
};

/// One state file of docs/state_file.md a snapshot, named by StoreName. The index is built from the names when the
/// store is opened; what another process writes later is not found. Reading compares ids and owner: never a wrong
/// state. The least recently used file (by its time of modification, which a use sets) goes when there is no room.
/// Faults of the disk are warnings in the log. The destructor writes what is queued.
class DirectoryStore final : public SnapshotStore {
 public:
  /// Errors: invalid_argument (no directory can be made there, or nothing written in it).
  DirectoryStore(DirectoryOptions options, StoreOwner owner);

  bool put(std::vector<TokenId> ids, std::shared_ptr<const backend::State> state, std::vector<float> logits,
           Path path) override;
  std::future<std::optional<HostSnapshot>> find(std::span<const TokenId> ids, std::size_t longer_than,
                                                bool exact) override;
  bool can_swap_out(std::size_t states) const override;
  std::unique_ptr<SwappedState> swap_out(std::shared_ptr<const backend::State> state) override;
  void flush() override { background_.wait(); }
  StoreStats stats() const override;

 private:
  using Values = std::function<std::vector<float>()>;
  struct Content {
    StoreName name;
    std::vector<TokenId> ids;
    Values values;
    std::vector<float> logits;
  };

  Values values_of(const std::shared_ptr<const backend::State>& state) const;
  std::filesystem::path path_of(const StoreName& name) const { return options_.directory / name.text(); }
  std::size_t slot_bytes() const noexcept { return static_cast<std::size_t>(owner_.spec.slot_size) * sizeof(float); }
  std::size_t file_bytes(std::size_t ids, std::size_t logits) const;
  bool queue_one();
  void write(const Content& content);
  void save(const Content& content);
  std::optional<HostSnapshot> read(const StoreName& name, const std::vector<TokenId>& ids);
  void forget(const StoreName& name);
  void make_room(std::size_t bytes);
  void count_files();

  DirectoryOptions options_;
  StoreOwner owner_;
  std::string owner_hash_;
  mutable std::mutex mutex_;  // of what follows
  StoreIndex index_;
  StoreStats stats_;
  std::size_t queued_ = 0;   // states in memory, on their way to a file
  std::size_t swapped_ = 0;  // bytes of states that are swapped out
  Background background_;    // goes first
};

}  // namespace xlstm::scheduler
