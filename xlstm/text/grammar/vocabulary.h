// A tokenizer's vocabulary as the matcher needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/text/grammar/token_trie.h"

namespace xlstm::text::grammar {

inline constexpr std::size_t kMaxTokenBytes = 0xFFFF;
/// Tokens beyond this are looked up in each state of a grammar by themselves, so that the others can share masks.
inline constexpr std::size_t kLongTokenBytes = 24;

/// Made once for a tokenizer. Immutable: safe from any thread.
class Vocabulary {
 public:
  /// tokens[id]: the bytes that the id stands for, copied. "" for an id that no text may contain: special tokens, the
  /// end of the text among them. Errors: invalid_argument for a token of more than kMaxTokenBytes.
  explicit Vocabulary(std::span<const std::string_view> tokens);
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  std::size_t size() const noexcept { return ends_.size() - 1; }
  /// Number of 32-bit words of a mask.
  std::size_t num_mask_words() const noexcept { return (size() + 31) / 32; }
  /// Errors: invalid_argument for an id outside [0, size()).
  std::string_view bytes(TokenId id) const;
  /// Tokens of up to kLongTokenBytes, and the others.
  const TokenTrie& short_tokens() const noexcept { return short_tokens_; }
  const TokenTrie& long_tokens() const noexcept { return long_tokens_; }

 private:
  std::string blob_;
  std::vector<std::size_t> ends_;  // token id is blob_[ends_[id], ends_[id + 1])
  TokenTrie short_tokens_;
  TokenTrie long_tokens_;
};

}  // namespace xlstm::text::grammar
