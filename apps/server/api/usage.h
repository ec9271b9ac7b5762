// What is told of choices beside their text: tokens used, why they ended, log-probabilities.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/api/context.h"

namespace xlstm::server::api {

struct Usage {
  std::size_t prompt_tokens = 0, cached_tokens = 0, completion_tokens = 0;

  /// Of all outcomes of a request; what best_of drew and did not take does not count.
  static Usage of(const std::vector<engine::Outcome>& outcomes);
  /// As in OpenAI's completions: {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details"}.
  Json json() const;
};

/// "length", or "stop" for everything else that ends a text by itself.
std::string finish_reason(generation::FinishReason reason);

/// Of a chat's token: {"token", "logprob", "bytes", "top_logprobs"}.
Json chat_logprob(const tokenizer::Tokenizer& tokenizer, TokenId id, const generation::TokenLogProbs& logprobs);

/// Of a completion's tokens, one after another: {"tokens", "token_logprobs", "top_logprobs", "text_offset"}, offsets in
/// code points of the text.
class CompletionLogProbs {
 public:
  explicit CompletionLogProbs(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer), detokenizer_(tokenizer) {}

  /// Without log-probabilities: the first token of a prompt.
  void add(TokenId id, const std::optional<generation::TokenLogProbs>& logprobs);
  /// Of the tokens since the last call.
  Json take();

 private:
  const tokenizer::Tokenizer& tokenizer_;
  tokenizer::StreamingDetokenizer detokenizer_;
  std::size_t offset_ = 0;
  Json tokens_ = Json::array(), values_ = Json::array(), top_ = Json::array(), offsets_ = Json::array();
};

/// Stop ids have no text and so no log-probability in an answer.
bool is_stop(const std::vector<TokenId>& stop_ids, TokenId id);

}  // namespace xlstm::server::api
