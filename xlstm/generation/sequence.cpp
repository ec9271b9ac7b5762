#include "xlstm/generation/sequence.h"

#include <algorithm>
#include <limits>

#include "xlstm/base/error.h"

namespace xlstm::generation {
namespace {

TokenLogProbs log_probs(std::span<const float> logits, TokenId id, std::size_t count) {
  TokenLogProbs found = {sampling::log_probability(logits, id), {}};
  if (count == 0) return found;
  for (const auto& [top, logprob] : sampling::top_log_probabilities(logits, count)) found.top.push_back({top, logprob});
  return found;
}

}  // namespace

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
  for (const TokenId id : stop_ids_) {
    if (id >= 0) early_sampling_.logit_bias.emplace_back(id, -std::numeric_limits<float>::infinity());
  }
  replay();
  history_.insert(history_.end(), request.prompt.begin(), request.prompt.end());
  if (max_tokens_ == 0) finish_reason_ = FinishReason::length;
}

/// What an earlier part of the request has said: the rules of text see it again, and nothing comes out.
void Sequence::replay() {
  for (const TokenId id : std::span(history_).last(drawn_before_)) {
    if (is_stop(id)) continue;
    matcher_.push(detokenizer_.push(id));
    if (matcher_.stopped()) matcher_ = text::StopMatcher(stop_strings_);
  }
}

bool Sequence::is_stop(TokenId id) const {
  return std::find(stop_ids_.begin(), stop_ids_.end(), id) != stop_ids_.end();
}

TokenId Sequence::draw(std::span<const float> logits) const {
  const std::size_t limit = std::min(tokenizer_->vocab_size(), logits.size());
  return sampling::sample(logits, drawn() < min_tokens_ ? early_sampling_ : sampling_, history_, limit,
                          RngKey{sampling_.seed, static_cast<std::uint64_t>(drawn())});
}

/// Of a token that was drawn. Before min_tokens, what may become a stop string is not looked for.
std::string Sequence::text_of(TokenId id) {
  std::string piece = detokenizer_.push(id);
  return drawn() < min_tokens_ ? piece : matcher_.push(piece);
}

Token Sequence::next(std::span<const float> logits) {
  XLSTM_CHECK(!ended());
  Token token = {draw(logits), "", std::nullopt};
  if (logprobs_ >= 0) token.logprobs = log_probs(logits, token.id, static_cast<std::size_t>(logprobs_));
  history_.push_back(token.id);
  ids_.push_back(token.id);
  if (is_stop(token.id)) {
    token.text = end(FinishReason::stop_token);
    return token;
  }
  token.text = text_of(token.id);
  if (matcher_.stopped()) {
    finish_reason_ = FinishReason::stop_string;
  } else if (max_tokens_ >= 0 && std::ssize(ids_) >= max_tokens_) {
    token.text += end(FinishReason::length);
  }
  return token;
}

/// What was held back for a character or a stop string that never became whole.
std::string Sequence::end(FinishReason reason) {
  XLSTM_CHECK(!ended());
  finish_reason_ = reason;
  if (resumable_ && reason != FinishReason::stop_token) return "";
  std::string text = matcher_.push(detokenizer_.finish());
  if (!matcher_.stopped()) return text + matcher_.finish();
  if (reason == FinishReason::length) finish_reason_ = FinishReason::stop_string;
  return text;
}

}  // namespace xlstm::generation
