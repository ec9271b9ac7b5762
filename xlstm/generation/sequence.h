// The host's side of one sequence: ids drawn from logits, the text that comes of them, and when it ends. The plain loop
// and the scheduler both use it, so that a request has the same ids in either.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xlstm/generation/constrained_row.h"
#include "xlstm/generation/request.h"
#include "xlstm/text/stop_rules.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::generation {

/// Log-probability of `id` under logits [V], and the `count` most probable. Errors: internal (logits that are not
/// numbers).
TokenLogProbs token_log_probs(std::span<const float> logits, TokenId id, std::size_t count);

/// A drawn token.
struct Token {
  TokenId id = 0;
  std::string text;  // what became whole with it: UTF-8, whole characters, possibly empty
  std::optional<TokenLogProbs> logprobs;
};

/// Token i of the request, those drawn before counted, is drawn with RngKey{seed, i}, whatever else runs. Its memory
/// does not grow with what it generates, but for penalties that look back at all of it. Not thread-safe.
class Sequence {
 public:
  /// REQUIRES: validate(request, model) did not throw. The tokenizer must outlive it. Errors: invalid_argument (a
  /// constraint for another vocabulary, or one that the tokens drawn before do not match).
  Sequence(const tokenizer::Tokenizer& tokenizer, const Request& request);

  /// Draws the next token from logits [V]; the last one brings all text that was held back. REQUIRES: not ended.
  /// Errors: internal (logits that are not numbers); invalid_argument (a constraint that allows no token, or with more
  /// parses alive than its limit); then nothing was drawn.
  Token next(std::span<const float> logits);
  /// The same for an id that was chosen elsewhere, with what is known about it. REQUIRES: not ended.
  Token accept(TokenId id, std::optional<TokenLogProbs> logprobs);
  /// Ends it as `reason` and returns the text that was held back; of a resumable request it stays so. REQUIRES: not
  /// ended.
  std::string end(FinishReason reason);

  /// Of Request::echo, what no token has brought yet: all of it when max_tokens is 0.
  std::string take_echo();

  bool ended() const noexcept { return finish_reason_.has_value(); }
  /// REQUIRES: ended.
  FinishReason finish_reason() const { return finish_reason_.value(); }
  /// Ids generated so far, a stop id included.
  std::size_t num_generated() const noexcept { return generated_; }

 private:
  void replay(bool echoed);
  void echo(std::span<const TokenId> prompt);
  bool is_stop(TokenId id) const;
  std::int64_t drawn() const noexcept { return static_cast<std::int64_t>(drawn_before_ + generated_); }
  void remember(std::span<const TokenId> ids);
  TokenId draw(std::span<const float> logits);
  std::string text_of(TokenId id);

  const tokenizer::Tokenizer* tokenizer_;
  sampling::SamplingParams sampling_, early_sampling_;  // the second without stop ids, for the first min_tokens
  std::int64_t max_tokens_, min_tokens_, logprobs_;
  std::size_t drawn_before_;
  bool resumable_;
  std::vector<TokenId> stop_ids_;
  std::vector<std::string> stop_strings_;
  std::string echo_;
  tokenizer::StreamingDetokenizer detokenizer_;
  text::StopMatcher matcher_;
  std::optional<ConstrainedRow> constraint_;
  std::vector<TokenId> history_;  // before the request, prompt, generated: at least what the penalties look back at
  std::size_t generated_ = 0;
  std::optional<FinishReason> finish_reason_;
};

}  // namespace xlstm::generation
