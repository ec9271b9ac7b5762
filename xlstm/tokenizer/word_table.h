// Short words that are one token.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::tokenizer {

/// Word -> token for the words whose merges end in a single token: one look-up instead of a merge per byte. Filled when
/// a tokenizer is loaded and then immutable, so there is no cache to warm, bound or lock. Safe from any thread.
class WordTable {
 public:
  static constexpr std::size_t kMaxBytes = 16;

  struct Entry {
    std::string_view word;  // 1 to kMaxBytes bytes
    TokenId id;
  };
  /// The first of equal words counts.
  explicit WordTable(const std::vector<Entry>& entries);

  /// REQUIRES: the word is not empty.
  std::optional<TokenId> find(std::string_view word) const noexcept;

 private:
  struct Slot {
    std::uint64_t head;  // the word's bytes: see key_of
    std::uint64_t tail;
    std::uint32_t size;  // 0: free
    TokenId id;
  };
  static Slot key_of(std::string_view word) noexcept;
  std::size_t place_of(const Slot& key) const noexcept;

  std::vector<Slot> slots_;  // a power of two, at most half full
  int shift_;                // 64 - log2 of the number of slots
};

}  // namespace xlstm::tokenizer
