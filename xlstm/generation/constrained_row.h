// The logits of a sequence whose text has to match a grammar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "xlstm/text/grammar/matcher.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::generation {

/// The text that a sequence has said, as its grammar sees it, and a row of logits without what may not come next. A
/// stop id is none of the grammar's tokens, whatever its bytes: it ends the text, and may where the grammar can end.
class ConstrainedRow {
 public:
  /// Errors: invalid_argument for masks of a vocabulary of another size than the tokenizer's.
  ConstrainedRow(std::shared_ptr<const text::grammar::TokenMasks> masks, const tokenizer::Tokenizer& tokenizer,
                 std::vector<TokenId> stop_ids);

  /// Tokens of the same text that were drawn before. Errors: invalid_argument when the grammar does not allow them.
  void replay(std::span<const TokenId> ids);
  /// A copy of logits [V], -infinity where the id may not come next; valid until the next call. Errors:
  /// invalid_argument when no id below `limit` is left that `logit_bias` does not ban, and for too many parses;
  /// internal (NaN or +inf in the logits).
  std::span<const float> masked(std::span<const float> logits, std::size_t limit,
                                std::span<const std::pair<TokenId, float>> logit_bias);
  /// Adds a drawn id. Errors: as GrammarMatcher::accept, and the text is as before.
  void accept(TokenId id);
  /// Nothing may follow: a stop id was accepted, or the grammar has to end.
  bool over() const noexcept { return stopped_ || matcher_.must_end(); }

 private:
  bool is_stop(TokenId id) const;
  bool any_left(std::size_t limit, std::span<const std::pair<TokenId, float>> logit_bias) const;

  text::grammar::GrammarMatcher matcher_;
  std::vector<TokenId> stop_ids_;
  std::vector<std::uint32_t> mask_;  // see text/grammar/token_bits.h
  std::vector<float> row_;           // [V]
  bool stopped_ = false;
};

}  // namespace xlstm::generation
