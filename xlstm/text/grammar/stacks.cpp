#include "xlstm/text/grammar/stacks.h"

#include <algorithm>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

void add(std::vector<Parse>& parses, std::size_t begin, Parse parse) {
  const auto first = parses.begin() + static_cast<std::ptrdiff_t>(begin);
  if (std::find(first, parses.end(), parse) != parses.end()) return;
  if (parses.size() - begin == kMaxStacks) {
    fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxStacks,
         " ways to read a text at once but this grammar is more ambiguous than that");
  }
  parses.push_back(parse);
}

}  // namespace

std::uint32_t Stacks::push(std::uint32_t top, std::uint32_t below) {
  for (std::uint32_t above = nodes_[below].first_above; above != 0; above = nodes_[above].next_beside) {
    if (nodes_[above].top == top) return above;
  }
  if (nodes_[below].depth == kMaxDepth) return kTooDeep;
  const auto stack = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({top, below, nodes_[below].depth + 1, 0, nodes_[below].first_above});
  nodes_[below].first_above = stack;
  return stack;
}

void Stacks::truncate(std::size_t size) {
  while (nodes_.size() > size) {
    nodes_[nodes_.back().below].first_above = nodes_.back().next_beside;
    nodes_.pop_back();
  }
}

void Stacks::compact(const std::vector<std::uint32_t*>& wanted) {
  std::vector<std::uint32_t> place(nodes_.size(), 0);  // 1: wanted; then its new number. What is below has a lower one
  for (const std::uint32_t* stack : wanted) {
    for (std::uint32_t node = *stack; node != kEmpty && place[node] == 0; node = nodes_[node].below) place[node] = 1;
  }
  Stacks kept;
  for (std::size_t node = 1; node < nodes_.size(); ++node) {
    if (place[node] != 0) place[node] = kept.push(nodes_[node].top, place[nodes_[node].below]);
  }
  for (std::uint32_t* stack : wanted) *stack = place[*stack];
  *this = std::move(kept);
}

bool enter(const Automaton& automaton, Stacks& stacks, std::uint32_t state, std::uint32_t stack,
           std::vector<Parse>& parses, std::size_t begin) {
  while (true) {
    if (automaton.is_plain(state)) {
      add(parses, begin, {state, stack});
      return false;
    }
    for (const Entry& entry : automaton.entries(state)) {
      std::uint32_t inner = stack;
      for (const std::uint32_t then : automaton.pushed(entry)) {
        if (inner != Stacks::kTooDeep) inner = stacks.push(then, inner);
      }
      if (inner != Stacks::kTooDeep) add(parses, begin, {entry.state, inner});
    }
    if (!automaton.ends(state)) return false;
    if (stack == Stacks::kEmpty) return true;
    state = stacks.top(stack);
    stack = stacks.below(stack);
  }
}

bool advance_all(const Automaton& automaton, Stacks& stacks, std::vector<Parse>& parses, std::size_t first,
                 std::size_t last, std::uint8_t byte) {
  const std::size_t begin = parses.size();
  bool ended = false;
  for (std::size_t i = first; i < last; ++i) {
    const Parse parse = parses[i];
    const std::uint32_t state = automaton.next(parse.state, byte);
    if (state != kNoState && enter(automaton, stacks, state, parse.stack, parses, begin)) ended = true;
  }
  return ended;
}

}  // namespace xlstm::text::grammar
