// States of texts that were read before, found again by their ids.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/scheduler/state_pool.h"

namespace xlstm::scheduler {

/// How a state was reached, which says for whom it has the bits that an uncached run would give him.
enum class Path {
  aligned,     // prefill from nothing, cut at multiples of the segment, up to such a multiple: every longer prompt
  prompt_end,  // the same, then the rest of a prompt in one piece: this very prompt
  other,       // decode steps or another cut on the way: nobody, but it agrees within 2e-4
};

/// A state as a value, with what its next token is drawn from.
struct Snapshot {
  SharedState state;
  std::vector<float> logits;  // [V] of the last position; empty: not kept
  Path path = Path::other;
};

/// A radix tree over ids. Bytes are counted: states (a shared one as well), logits and ids. The least recently used
/// snapshot goes first. Not thread-safe.
class PrefixCache {
 public:
  /// Takes over what is evicted, with its ids.
  using Evicted = std::function<void(std::vector<TokenId> ids, Snapshot snapshot)>;

  PrefixCache(std::size_t max_bytes, std::size_t state_bytes, Evicted evicted = {});
  PrefixCache(const PrefixCache&) = delete;

  struct Hit {
    std::size_t tokens = 0;  // of the prompt that the snapshot has read; 0: none was found
    Snapshot snapshot;
  };
  /// The snapshot of the longest beginning of `ids` from which logits of all of `ids` can be had: one that has read all
  /// of them must have its logits. exact: only one that gives the bits of an uncached run.
  Hit find(std::span<const TokenId> ids, bool exact);

  /// Keeps a snapshot of a state that has read `ids` (at least one). One that is there already keeps the better path,
  /// and gets logits that it lacks.
  void insert(std::span<const TokenId> ids, Snapshot snapshot);
  /// Forgets the snapshot of exactly `ids`, if there is one.
  void erase(std::span<const TokenId> ids);
  /// Forgets the least recently used one; false: there is none.
  bool evict_one();

  std::size_t size() const noexcept { return recent_.size(); }  // snapshots
  std::size_t bytes() const noexcept { return bytes_; }
  std::size_t max_bytes() const noexcept { return max_bytes_; }
  std::size_t evictions() const noexcept { return evictions_; }

 private:
  struct Node;
  using Recent = std::list<Node*>;  // the most recently used first
  struct Node {
    Node* parent = nullptr;
    std::vector<TokenId> edge;  // ids on the way from the parent
    std::map<TokenId, std::unique_ptr<Node>> children;
    std::optional<Snapshot> snapshot;
    Recent::iterator place;  // in recent_, when there is a snapshot
  };

  Node* node_at(std::span<const TokenId> ids);
  Node* make_node(std::span<const TokenId> ids);
  Node* split(Node* node, std::size_t length);
  void remove_snapshot(Node* node);
  void prune(Node* node);
  std::size_t cost(const Snapshot& snapshot) const noexcept;

  std::size_t max_bytes_, state_bytes_;
  Evicted evicted_;
  Node root_;
  Recent recent_;
  std::size_t bytes_ = 0, evictions_ = 0;
};

/// Positions of snapshots behind `newest` that a sparse ladder leaves out: of those at a distance in [2^k, 2^(k+1))
/// segments only the farthest stays. positions: ascending, all below newest.
std::vector<std::size_t> ladder_gaps(std::span<const std::size_t> positions, std::size_t newest, std::size_t segment);

}  // namespace xlstm::scheduler
