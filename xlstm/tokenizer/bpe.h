// Byte pair encoding of one word.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "xlstm/tokenizer/spec.h"

namespace xlstm::tokenizer {

/// The merges of a model: always the pair of lowest rank first, the leftmost of equals. Immutable; safe from any
/// thread.
class BytePairs {
 public:
  /// `byte_ids`: the token of each single byte, -1 for none (C0, C1, F5 to FF only). A pair listed twice keeps its
  /// later rank, as in Hugging Face.
  BytePairs(const std::array<TokenId, 256>& byte_ids, const std::vector<Merge>& merges);

  /// Appends the ids of `word`; a byte without a token counts as U+FFFD. Time n log n and memory linear in its length.
  /// Errors: invalid_argument for a word of 2 GiB or more.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  static constexpr std::uint32_t kNoRank = 0xFFFFFFFF;
  // Up to here a scan for the lowest rank beats a heap.
  static constexpr std::size_t kShortWord = 96;

  struct Slot {  // of an open-addressing table; 16 bytes, four to a cache line
    std::uint64_t pair;
    std::uint32_t rank;
    TokenId result;
  };

  static std::uint64_t pair_of(TokenId left, TokenId right) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
  }
  bool has_unknown_byte(std::string_view word) const noexcept;
  const Slot& find(std::uint64_t pair) const noexcept;
  void encode_short(std::string_view word, std::vector<TokenId>& ids) const;
  void encode_long(std::string_view word, std::vector<TokenId>& ids) const;

  std::array<TokenId, 256> byte_ids_;
  bool knows_all_bytes_;
  std::vector<Slot> slots_;  // a power of two, at most half full; free slots have kNoRank
  int shift_;                // 64 - log2 of the number of slots
};

}  // namespace xlstm::tokenizer
