#include "xlstm/generation/sequence.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::generation {
namespace {

constexpr std::size_t kHistorySlack = 1024;  // ids kept beyond the window before they are cut off

}  // namespace

TokenLogProbs token_log_probs(std::span<const float> logits, TokenId id, std::size_t count) {
  TokenLogProbs found = {sampling::log_probability(logits, id), {}};
  if (count == 0) return found;
  for (const auto& [top, logprob] : sampling::top_log_probabilities(logits, count)) found.top.push_back({top, logprob});
  return found;
}

Sequence::Sequence(const tokenizer::Tokenizer& tokenizer, const Request& request)
    : tokenizer_(&tokenizer),
      sampling_(request.sampling),
      early_sampling_(request.sampling),
      max_tokens_(request.max_tokens),
      min_tokens_(request.min_tokens),
      logprobs_(request.logprobs),
      drawn_before_(request.drawn),
      resumable_(request.resumable),
      stop_ids_(request.stop_ids),
      stop_strings_(request.stop_strings),
      detokenizer_(tokenizer),
      matcher_(request.stop_strings),
      history_(request.history) {
  if (request.constraint) constraint_.emplace(request.constraint, tokenizer, request.stop_ids);
  for (const TokenId id : stop_ids_) {
    if (id >= 0) early_sampling_.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
  }
  replay(request.echo);
  remember(request.prompt);
  if (request.echo) echo(request.prompt);
  if (constraint_ && constraint_->over()) {
    finish_reason_ = FinishReason::constraint_end;
  } else if (max_tokens_ == 0) {
    finish_reason_ = FinishReason::length;
  }
  if (ended() && !resumable_) echo_ += detokenizer_.finish();
}

/// What an earlier part of the request has said: the rules of text see it again, and nothing comes out.
void Sequence::replay(bool echoed) {
  const auto drawn = std::span(history_).last(drawn_before_);
  if (echoed && !drawn.empty()) {  // the prompt was, and its last character may still be half
    echo(std::span(history_).first(history_.size() - drawn_before_));
    echo_.clear();
  }
  if (constraint_) constraint_->replay(drawn);
  std::int64_t number = 0;
  for (const TokenId id : drawn) {
    ++number;
    if (is_stop(id)) continue;
    const std::string piece = detokenizer_.push(id);
    if (number < min_tokens_) continue;  // as in text_of
    matcher_.push(piece);
    if (matcher_.stopped()) matcher_ = text::StopMatcher(stop_strings_);
  }
}

/// A character that the prompt begins and the first tokens end comes out with them.
void Sequence::echo(std::span<const TokenId> prompt) {
  for (const TokenId id : prompt) {
    const bool has_text = static_cast<std::size_t>(id) < tokenizer_->vocab_size() && !tokenizer_->is_special(id);
    if (has_text) echo_ += detokenizer_.push(id);
  }
}

/// Cut to the window now and then, so that a text without an end takes no memory.
void Sequence::remember(std::span<const TokenId> ids) {
  history_.insert(history_.end(), ids.begin(), ids.end());
  const std::optional<std::size_t> window = sampling::history_window(sampling_);
  if (!window || history_.size() < 2 * *window + kHistorySlack) return;
  history_.erase(history_.begin(), history_.end() - static_cast<std::ptrdiff_t>(*window));
}

std::string Sequence::take_echo() { return std::exchange(echo_, {}); }

bool Sequence::is_stop(TokenId id) const {
  return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
}

TokenId Sequence::draw(std::span<const float> logits) {
  const std::size_t limit = std::min(tokenizer_->vocab_size(), logits.size());
  const sampling::SamplingParams& params = drawn() < min_tokens_ ? early_sampling_ : sampling_;
  const TokenId id =
      sampling::sample(constraint_ ? constraint_->masked(logits, limit, params.logit_bias) : logits, params, history_,
                       limit, RngKey{sampling_.seed, static_cast<std::uint64_t>(drawn())});
  if (constraint_) constraint_->accept(id);
  return id;
}

/// Of a token that was drawn. Before min_tokens, what may become a stop string is not looked for.
std::string Sequence::text_of(TokenId id) {
  std::string piece = detokenizer_.push(id);
  return drawn() < min_tokens_ ? piece : matcher_.push(piece);
}

Token Sequence::next(std::span<const float> logits) {
  XLSTM_CHECK(!ended());
  const TokenId id = draw(logits);
  std::optional<TokenLogProbs> known;
  if (logprobs_ >= 0) known = token_log_probs(logits, id, static_cast<std::size_t>(logprobs_));
  return accept(id, std::move(known));
}

Token Sequence::accept(TokenId id, std::optional<TokenLogProbs> logprobs) {
  XLSTM_CHECK(!ended());
  Token token = {id, take_echo(), std::move(logprobs)};
  remember(std::span(&token.id, 1));
  ++generated_;
  if (is_stop(token.id)) {
    token.text += end(FinishReason::stop_token);
    return token;
  }
  token.text += text_of(token.id);
  if (matcher_.stopped()) {
    finish_reason_ = FinishReason::stop_string;
  } else if (constraint_ && constraint_->over()) {
    token.text += end(FinishReason::constraint_end);
  } else if (max_tokens_ >= 0 && std::cmp_greater_equal(generated_, max_tokens_)) {
    token.text += end(FinishReason::length);
  }
  return token;
}

/// What was held back for a character or a stop string that never became whole.
std::string Sequence::end(FinishReason reason) {
  XLSTM_CHECK(!ended());
  finish_reason_ = reason;
  const bool over = reason == FinishReason::stop_token || reason == FinishReason::constraint_end;
  if (resumable_ && !over) return take_echo();
  std::string text = take_echo() + matcher_.push(detokenizer_.finish());
  if (!matcher_.stopped()) return text + matcher_.finish();
  if (reason == FinishReason::length) finish_reason_ = FinishReason::stop_string;
  return text;
}

}  // namespace xlstm::generation
