#include "xlstm/scheduler/prefix_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::scheduler {
namespace {

std::size_t common_length(std::span<const TokenId> a, std::span<const TokenId> b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

std::size_t id_bytes(std::size_t count) { return count * sizeof(TokenId); }

bool usable(const Snapshot& snapshot, bool at_end, bool exact) {
  if (at_end && snapshot.logits.empty()) return false;
  if (!exact) return true;
  return snapshot.path == Path::aligned || (snapshot.path == Path::prompt_end && at_end);
}

}  // namespace

PrefixCache::PrefixCache(std::size_t max_bytes, std::size_t state_bytes, Evicted evicted)
    : max_bytes_(max_bytes), state_bytes_(state_bytes), evicted_(std::move(evicted)) {}

std::size_t PrefixCache::cost(const Snapshot& snapshot) const noexcept {
  return state_bytes_ + snapshot.logits.size() * sizeof(float);
}

PrefixCache::Hit PrefixCache::find(std::span<const TokenId> ids, bool exact) {
  Node* best = nullptr;
  std::size_t best_tokens = 0, tokens = 0;
  for (Node* node = &root_; tokens < ids.size();) {
    const auto child = node->children.find(ids[tokens]);
    if (child == node->children.end()) break;
    node = child->second.get();
    if (common_length(node->edge, ids.subspan(tokens)) < node->edge.size()) break;
    tokens += node->edge.size();
    if (node->snapshot && usable(*node->snapshot, tokens == ids.size(), exact)) {
      best = node;
      best_tokens = tokens;
    }
  }
  if (best == nullptr) return {};
  recent_.splice(recent_.begin(), recent_, best->place);
  return {best_tokens, *best->snapshot};
}

/// The node in the middle of `node`'s edge, `length` ids after its parent.
PrefixCache::Node* PrefixCache::split(Node* node, std::size_t length) {
  Node* parent = node->parent;
  std::unique_ptr<Node>& place = parent->children.at(node->edge.front());
  auto middle = std::make_unique<Node>();
  middle->parent = parent;
  middle->edge.assign(node->edge.begin(), node->edge.begin() + std::ptrdiff_t(length));
  node->edge.erase(node->edge.begin(), node->edge.begin() + std::ptrdiff_t(length));
  node->parent = middle.get();
  const TokenId first = node->edge.front();
  middle->children.emplace(first, std::move(place));
  place = std::move(middle);
  return place.get();
}

PrefixCache::Node* PrefixCache::node_at(std::span<const TokenId> ids) {
  Node* node = &root_;
  while (!ids.empty()) {
    const auto child = node->children.find(ids.front());
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
    if (common_length(node->edge, ids) < node->edge.size()) return nullptr;
    ids = ids.subspan(node->edge.size());
  }
  return node;
}

PrefixCache::Node* PrefixCache::make_node(std::span<const TokenId> ids) {
  Node* node = &root_;
  while (!ids.empty()) {
    std::unique_ptr<Node>& child = node->children[ids.front()];
    if (child == nullptr) {
      child = std::make_unique<Node>();
      child->parent = node;
      child->edge.assign(ids.begin(), ids.end());
      bytes_ += id_bytes(ids.size());
      return child.get();
    }
    const std::size_t common = common_length(child->edge, ids);
    node = common < child->edge.size() ? split(child.get(), common) : child.get();
    ids = ids.subspan(common);
  }
  return node;
}

void PrefixCache::insert(std::span<const TokenId> ids, Snapshot snapshot) {
  XLSTM_CHECK(!ids.empty() && snapshot.state);
  if (cost(snapshot) + id_bytes(ids.size()) > max_bytes_) return;  // would only push out everything else
  Node* node = make_node(ids);
  if (node->snapshot) {
    Snapshot& old = *node->snapshot;
    bytes_ -= cost(old);
    const bool better = snapshot.path < old.path;
    if (better) {
      old = std::move(snapshot);
    } else if (old.logits.empty() && snapshot.path == old.path) {
      old.logits = std::move(snapshot.logits);
    }
    recent_.splice(recent_.begin(), recent_, node->place);
  } else {
    node->snapshot = std::move(snapshot);
    recent_.push_front(node);
    node->place = recent_.begin();
  }
  bytes_ += cost(*node->snapshot);
  while (bytes_ > max_bytes_ && evict_one()) continue;
}

void PrefixCache::erase(std::span<const TokenId> ids) {
  Node* node = node_at(ids);
  if (node != nullptr && node->snapshot) remove_snapshot(node);
}

bool PrefixCache::evict_one() {
  if (recent_.empty()) return false;
  Node* last = recent_.back();
  Snapshot snapshot = *last->snapshot;
  std::vector<TokenId> ids;
  for (const Node* node = last; evicted_ && node != nullptr; node = node->parent) {
    ids.insert(ids.begin(), node->edge.begin(), node->edge.end());
  }
  remove_snapshot(last);
  ++evictions_;
  if (evicted_) evicted_(std::move(ids), std::move(snapshot));
  return true;
}

void PrefixCache::remove_snapshot(Node* node) {
  bytes_ -= cost(*node->snapshot);
  recent_.erase(node->place);
  node->snapshot.reset();
  prune(node);
}

/// Drops nodes that lead nowhere, and joins one that only leads on with its child.
void PrefixCache::prune(Node* node) {
  while (node != &root_ && !node->snapshot && node->children.empty()) {
    Node* parent = node->parent;
    bytes_ -= id_bytes(node->edge.size());
    parent->children.erase(TokenId{node->edge.front()});
    node = parent;
  }
  if (node == &root_ || node->snapshot || node->children.size() != 1) return;
  std::unique_ptr<Node> child = std::move(node->children.begin()->second);
  child->edge.insert(child->edge.begin(), node->edge.begin(), node->edge.end());
  child->parent = node->parent;
  node->parent->children.at(node->edge.front()) = std::move(child);
}

std::vector<std::size_t> ladder_gaps(std::span<const std::size_t> positions, std::size_t newest, std::size_t segment) {
  std::vector<std::size_t> gaps;
  std::size_t last_rung = 0;
  for (const std::size_t position : positions) {  // from the farthest on
    const auto rung = static_cast<std::size_t>(std::bit_width((newest - position) / segment));
    if (rung == last_rung) gaps.push_back(position);
    last_rung = rung;
  }
  return gaps;
}

}  // namespace xlstm::scheduler
