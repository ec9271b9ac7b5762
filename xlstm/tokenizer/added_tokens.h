// Finding added tokens in text.
#pragma once

#include <bitset>
#include <string_view>
#include <vector>

#include "xlstm/tokenizer/spec.h"

namespace xlstm::tokenizer {

/// A stretch of text: an added token (id >= 0) or what stands between two of them (id < 0).
struct Span {
  TokenId id;
  std::string_view text;
};

/// Splits text at added tokens the way Hugging Face's AddedVocabulary::find_matches does: leftmost-longest matches that
/// do not overlap; a match refused by single_word still hides what overlaps it. Immutable; safe from any thread.
class AddedTokenMatcher {
 public:
  /// REQUIRES: contents are not empty and differ from each other.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  /// Spans in order of the text. Time: linear in the text, times the longest match begun in vain.
  std::vector<Span> split(std::string_view text) const;

 private:
  const AddedToken* longest_match(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;  // sorted by content
  std::bitset<65536> opens_;        // first two bytes of a token; every second byte for tokens of one byte
};

}  // namespace xlstm::tokenizer
