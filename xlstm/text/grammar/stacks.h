// Parses of a text: each a state and a stack of states to return to. Stacks share what they have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "xlstm/text/grammar/automaton.h"

namespace xlstm::text::grammar {

/// A tree of stacks: a node is a stack, its parent what is left when its top is taken off. Equal stacks are one node.
class Stacks {
 public:
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kTooDeep = 0xFFFFFFFF;

  Stacks() : nodes_(1) {}
  /// The stack with `top` on `below`; kTooDeep beyond kMaxDepth.
  std::uint32_t push(std::uint32_t top, std::uint32_t below);
  std::uint32_t top(std::uint32_t stack) const noexcept { return nodes_[stack].top; }
  std::uint32_t below(std::uint32_t stack) const noexcept { return nodes_[stack].below; }

  std::size_t size() const noexcept { return nodes_.size(); }
  /// Forgets the stacks made since there were `size` of them.
  void truncate(std::size_t size);
  /// Keeps the stacks of `wanted` and renumbers them there.
  void compact(const std::vector<std::uint32_t*>& wanted);

 private:
  struct Node {
    std::uint32_t top = kNoState;
    std::uint32_t below = 0;
    std::uint32_t depth = 0;
    std::uint32_t first_above = 0;  // the newest stack with one more on this one; 0: none
    std::uint32_t next_beside = 0;  // the one made before with the same `below`; 0: none
  };
  std::vector<Node> nodes_;
};

struct Parse {
  std::uint32_t state;  // reads a byte
  std::uint32_t stack;
  bool operator==(const Parse&) const = default;
};

/// Adds to parses[begin, end) where a parse that comes to `state` may read on, each once. True if the whole text may
/// end here. Errors: invalid_argument beyond kMaxStacks parses.
bool enter(const Automaton& automaton, Stacks& stacks, std::uint32_t state, std::uint32_t stack,
           std::vector<Parse>& parses, std::size_t begin);

/// advance() of any parses.
bool advance_all(const Automaton& automaton, Stacks& stacks, std::vector<Parse>& parses, std::size_t first,
                 std::size_t last, std::uint8_t byte);

/// Adds the parses that go on from parses[first, last) with `byte`, at the end. True if the whole text may end there.
/// Errors: as enter(). Inline for the commonest case: one parse, inside a rule.
inline bool advance(const Automaton& automaton, Stacks& stacks, std::vector<Parse>& parses, std::size_t first,
                    std::size_t last, std::uint8_t byte) {
  if (last - first == 1) {
    const std::uint32_t state = automaton.next(parses[first].state, byte);
    if (state == kNoState) return false;
    if (automaton.is_plain(state)) {
      parses.push_back({state, parses[first].stack});
      return false;
    }
  }
  return advance_all(automaton, stacks, parses, first, last, byte);
}

}  // namespace xlstm::text::grammar
