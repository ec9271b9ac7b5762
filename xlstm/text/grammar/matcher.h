// Which tokens may come next: a grammar followed token by token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/text/grammar/stacks.h"
#include "xlstm/text/grammar/token_masks.h"
#include "xlstm/text/grammar/trie_walk.h"

namespace xlstm::text::grammar {

/// The text so far, as a grammar sees it. A value: a copy (under a microsecond for shallow texts) goes its own way,
/// which is how a draft is undone, a sequence forked, a beam re-ordered. One thread at a time; copies are independent.
class GrammarMatcher {
 public:
  /// At the beginning of a text.
  explicit GrammarMatcher(std::shared_ptr<const TokenMasks> masks);

  /// Bit id % 32 of bits[id / 32]: 1 if the token may come next, 0 for any other id; words behind the vocabulary become
  /// 0. The text goes on to match the grammar from every allowed token, so a vocabulary with all 256 bytes never leaves
  /// a mask empty before can_end(). Ids that end the text have no bytes: allow them when can_end().
  /// Errors: invalid_argument for a span of fewer than Vocabulary::num_mask_words() words, or a grammar so ambiguous
  /// that more than kMaxStacks parses are alive.
  void fill_mask(std::span<std::uint32_t> bits);
  /// The mask's bit of one id, without the mask.
  bool allows(TokenId id) const;
  /// Adds the token to the text. Errors: invalid_argument, and the text is as before, for a token that is not allowed.
  void accept(TokenId id);
  /// Adds bytes, for text that comes from elsewhere; false, and the text is as before, if the grammar does not allow
  /// them. How a text is cut into tokens or bytes makes no difference.
  bool accept_bytes(std::string_view bytes);
  /// The text so far matches: it may end here.
  bool can_end() const noexcept { return ended_; }
  /// The text can only end here: no byte may follow.
  bool must_end() const noexcept { return parses_.empty(); }
  /// The bytes that have to come next, as far as there is no choice, the end of the text included; "" if there is one.
  std::string forced_bytes() const;

 private:
  void add_rests(const TokenTrie& rests, std::uint32_t stack, std::span<std::uint32_t> bits);
  void compact_stacks();

  std::shared_ptr<const TokenMasks> masks_;
  Stacks stacks_;
  std::vector<Parse> parses_;
  bool ended_ = false;
  std::size_t compact_at_ = 256;                            // stacks
  std::shared_ptr<const std::vector<std::uint32_t>> mask_;  // of this place, once it was asked for
};

}  // namespace xlstm::text::grammar
