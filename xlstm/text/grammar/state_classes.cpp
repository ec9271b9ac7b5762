#include <unordered_map>
#include <utility>

#include "xlstm/text/grammar/token_masks.h"

namespace xlstm::text::grammar {
namespace {

using Key = std::vector<std::uint32_t>;

struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept {
    std::size_t hash = key.size();
    for (const std::uint32_t part : key) {
      hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
      hash ^= hash >> 29;
    }
    return hash;
  }
};
using Numbers = std::unordered_map<Key, std::uint32_t, KeyHash>;

std::uint32_t number_of(Key key, Numbers& numbers) {
  return numbers.emplace(std::move(key), static_cast<std::uint32_t>(numbers.size())).first->second;
}

// A state without the states that come after a byte: those are listed in `later`.
Key shape_of(const Automaton& automaton, std::uint32_t state, std::vector<std::uint32_t>& later) {
  Key shape = {automaton.rule_of(state), automaton.ends(state) ? 1u : 0u};
  for (const Entry& entry : automaton.entries(state)) {
    shape.push_back(entry.state == state ? kNoState : entry.state);
    shape.push_back(entry.pushes_end - entry.pushes_begin);
    // At least one byte is read before a pushed state is come back to.
    for (const std::uint32_t then : automaton.pushed(entry)) later.push_back(then);
  }
  const auto row = automaton.row(state);
  for (std::uint32_t c = 0; c < row.size(); ++c) {
    if (c > 0 && row[c] == row[c - 1]) continue;
    shape.push_back(c);
    shape.push_back(row[c] == kNoState ? 0 : 1);
    if (row[c] != kNoState) later.push_back(row[c]);
  }
  return shape;
}

}  // namespace

std::vector<std::uint32_t> equivalent_states(const Automaton& automaton, std::size_t num_bytes) {
  std::vector<std::uint32_t> shapes;
  std::vector<std::vector<std::uint32_t>> later(automaton.num_states());
  Numbers numbers;
  for (std::uint32_t state = 0; state < automaton.num_states(); ++state) {
    shapes.push_back(number_of(shape_of(automaton, state, later[state]), numbers));
  }
  std::vector<std::uint32_t> classes = shapes;
  for (std::size_t round = 0; round < num_bytes; ++round) {
    const std::size_t num_classes = numbers.size();
    numbers.clear();
    std::vector<std::uint32_t> finer;
    finer.reserve(classes.size());
    for (std::uint32_t state = 0; state < classes.size(); ++state) {
      Key key = {shapes[state]};
      for (const std::uint32_t to : later[state]) key.push_back(classes[to]);
      finer.push_back(number_of(std::move(key), numbers));
    }
    classes = std::move(finer);
    if (numbers.size() == num_classes) break;
  }
  return classes;
}

}  // namespace xlstm::text::grammar
