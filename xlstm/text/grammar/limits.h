// Bounds of grammars: whatever a user sends, compiling and matching end, in bounded time and memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xlstm::text::grammar {

inline constexpr std::size_t kMaxSourceBytes = std::size_t{256} << 10;
inline constexpr int kMaxNesting = 128;  // groups in a grammar or regex, levels of a schema
inline constexpr std::size_t kMaxRules = 4096;
inline constexpr std::size_t kMaxMembers = 1000;      // properties, prefixItems, required names of one schema
inline constexpr std::uint32_t kMaxRepeat = 100'000;  // a count in {m,n}, minLength, maxItems ...
inline constexpr std::size_t kMaxNfaStates = 1'000'000;
inline constexpr std::size_t kMaxStates = 50'000;          // of the byte automaton, all rules together
inline constexpr std::size_t kMaxSubsetWork = 10'000'000;  // NFA states looked at while the automaton is made
inline constexpr std::size_t kMaxEntries = 250'000;        // steps on ways into rules, all states together
inline constexpr std::size_t kMaxStacks = 128;             // parses of one text that are alive at once
inline constexpr std::uint32_t kMaxDepth = 4096;  // unfinished rules within each other; deeper parses are dropped

}  // namespace xlstm::text::grammar
