// A tree of tokens read by a grammar: one byte read once for all tokens that share it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "xlstm/text/grammar/stacks.h"
#include "xlstm/text/grammar/token_trie.h"

namespace xlstm::text::grammar {

/// Not thread-safe. Reused, so that it allocates nothing after its first walks.
class TrieWalk {
 public:
  /// Reads every token of `trie` from `start`. on_ids(span of ids) is told, once each, of tokens that can be read;
  /// on_end(node) of nodes where the stack that the walk began with may be left: reading below them may go on under
  /// what lies beneath it, which the walk does not know. `stacks` is afterwards as it was before.
  template <class OnIds, class OnEnd>
  void run(const Automaton& automaton, Stacks& stacks, const TokenTrie& trie, const std::vector<Parse>& start,
           OnIds&& on_ids, OnEnd&& on_end) {
    const std::size_t stacks_before = stacks.size();
    parses_ = start;
    levels_.assign(1, {0, start.size(), stacks_before});
    loop_state_ = kNoState;
    for (std::size_t i = 0; i < trie.num_nodes();) {
      const TokenTrie::Node& node = trie.node(i);
      const Level above = levels_[node.depth - 1];
      levels_.resize(node.depth);
      parses_.resize(above.end);
      if (stacks.size() > above.stacks_size) stacks.truncate(above.stacks_size);
      const bool ended = advance(automaton, stacks, parses_, above.begin, above.end, node.byte);
      const bool alive = parses_.size() > above.end;
      if (alive && loops_below(automaton, trie, i, above)) {
        on_ids(trie.ids_below(i));
        i = node.end;
        continue;
      }
      if (alive || ended) on_ids(trie.ids_at(i));
      if (ended) on_end(i);
      levels_.push_back({above.end, parses_.size(), stacks.size()});
      i = alive ? i + 1 : node.end;
    }
    stacks.truncate(stacks_before);
  }

 private:
  struct Level {
    std::size_t begin;  // parses_[begin, end) are those of this depth
    std::size_t end;
    std::size_t stacks_size;
  };

  /// Some parse stayed where it was, and does so with every byte below the node.
  bool loops_below(const Automaton& automaton, const TokenTrie& trie, std::size_t node, const Level& above) {
    if (trie.node(node).end - node < 8) return false;  // as quickly read
    for (std::size_t i = above.end; i < parses_.size(); ++i) {
      const auto first = parses_.begin() + static_cast<std::ptrdiff_t>(above.begin);
      const auto last = parses_.begin() + static_cast<std::ptrdiff_t>(above.end);
      if (std::find(first, last, parses_[i]) == last) continue;
      if (parses_[i].state != loop_state_) {
        loop_state_ = parses_[i].state;
        loop_bytes_ = automaton.loops(loop_state_);
      }
      if ((trie.bytes_below(node) & ~loop_bytes_).none()) return true;
    }
    return false;
  }

  std::vector<Parse> parses_;
  std::vector<Level> levels_;
  std::uint32_t loop_state_ = kNoState;  // the last one asked for in this walk
  ByteSet loop_bytes_;
};

}  // namespace xlstm::text::grammar
