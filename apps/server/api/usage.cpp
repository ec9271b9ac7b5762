#include "apps/server/api/usage.h"

#include <algorithm>
#include <utility>

namespace xlstm::server::api {
namespace {

std::string token_text(const tokenizer::Tokenizer& tokenizer, TokenId id) { return tokenizer.decode({id}); }

Json bytes_of(const tokenizer::Tokenizer& tokenizer, TokenId id) {
  Json bytes = Json::array();
  for (const char c : tokenizer.token_bytes(id)) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// The matrix of a padded vocabulary has ids without a token.
bool has_text(const tokenizer::Tokenizer& tokenizer, TokenId id) {
  return static_cast<std::size_t>(id) < tokenizer.vocab_size();
}

}  // namespace

Usage Usage::of(const std::vector<engine::Outcome>& outcomes) {
  Usage usage;
  for (const engine::Outcome& outcome : outcomes) {
    usage.prompt_tokens += outcome.prompt_tokens;
    usage.cached_tokens += outcome.cached_tokens;
    for (const scheduler::Sample& sample : outcome.samples) usage.completion_tokens += sample.result.ids.size();
  }
  return usage;
}

Json Usage::json() const {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", cached_tokens}}}};
}

std::string finish_reason(generation::FinishReason reason) {
  return reason == generation::FinishReason::length ? "length" : "stop";
}

Json chat_logprob(const tokenizer::Tokenizer& tokenizer, TokenId id, const generation::TokenLogProbs& logprobs) {
  const auto entry = [&](TokenId token, double logprob) {
    return Json{{"token", token_text(tokenizer, token)}, {"logprob", logprob}, {"bytes", bytes_of(tokenizer, token)}};
  };
  Json made = entry(id, logprobs.logprob);
  Json& top = made["top_logprobs"] = Json::array();
  for (const generation::IdLogProb& other : logprobs.top) {
    if (has_text(tokenizer, other.id)) top.push_back(entry(other.id, other.logprob));
  }
  return made;
}

void CompletionLogProbs::add(TokenId id, const std::optional<generation::TokenLogProbs>& logprobs) {
  tokens_.push_back(token_text(tokenizer_, id));
  offsets_.push_back(offset_);
  offset_ += code_points(detokenizer_.push(id));
  if (!logprobs) {
    values_.push_back(nullptr);
    top_.push_back(nullptr);
    return;
  }
  values_.push_back(logprobs->logprob);
  Json top = Json::object();
  for (const generation::IdLogProb& other : logprobs->top) {
    // Of two ids with the same text the more probable one counts.
    if (has_text(tokenizer_, other.id)) top.emplace(token_text(tokenizer_, other.id), other.logprob);
  }
  top_.push_back(std::move(top));
}

Json CompletionLogProbs::take() {
  Json made{{"tokens", std::move(tokens_)},
            {"token_logprobs", std::move(values_)},
            {"top_logprobs", std::move(top_)},
            {"text_offset", std::move(offsets_)}};
  tokens_ = values_ = top_ = offsets_ = Json::array();
  return made;
}

bool is_stop(const std::vector<TokenId>& stop_ids, TokenId id) {
  return std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end();
}

}  // namespace xlstm::server::api
