#include "apps/cli/result_json.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::ordered_json;
using tokenizer::Tokenizer;

/// Ids beyond the tokenizer are padding of the vocabulary: they have a probability, but no text.
Json token_json(TokenId id, double logprob, const Tokenizer& tokenizer) {
  const bool has_text = id >= 0 && static_cast<std::size_t>(id) < tokenizer.vocab_size();
  return {{"id", id}, {"text", has_text ? tokenizer.decode({id}) : ""}, {"logprob", logprob}};
}

Json with_top(TokenId id, const generation::TokenLogProbs& known, const Tokenizer& tokenizer) {
  Json json = token_json(id, known.logprob, tokenizer);
  Json& top = json["top"] = Json::array();
  for (const generation::IdLogProb& other : known.top) top.push_back(token_json(other.id, other.logprob, tokenizer));
  return json;
}

}  // namespace

Json logprobs_json(std::span<const TokenId> ids, std::span<const generation::TokenLogProbs> logprobs,
                   const Tokenizer& tokenizer) {
  Json all = Json::array();
  for (std::size_t i = 0; i < logprobs.size(); ++i) all.push_back(with_top(ids[i], logprobs[i], tokenizer));
  return all;
}

Json prompt_logprobs_json(std::span<const TokenId> prompt,
                          std::span<const std::optional<generation::TokenLogProbs>> logprobs,
                          const Tokenizer& tokenizer) {
  Json all = Json::array();
  for (std::size_t i = 0; i < logprobs.size(); ++i) {
    all.push_back(logprobs[i] ? with_top(prompt[i], *logprobs[i], tokenizer) : Json());
  }
  return all;
}

nlohmann::ordered_json batch_result(const engine::Outcome& outcome, bool scored, std::span<const TokenId> prompt,
                                    const tokenizer::Tokenizer& tokenizer) {
  Json choices = Json::array();
  std::size_t generated = 0;
  for (const scheduler::Sample& sample : outcome.samples) {
    const generation::Result& result = sample.result;
    generated += result.ids.size();
    Json choice = {{"text", result.text},
                   {"ids", result.ids},
                   {"finish_reason", generation::finish_reason_name(result.finish_reason)}};
    if (!result.logprobs.empty()) choice["logprobs"] = logprobs_json(result.ids, result.logprobs, tokenizer);
    if (scored) choice["score"] = sample.score;
    choices.push_back(std::move(choice));
  }
  Json made = {{"choices", std::move(choices)}};
  if (!outcome.prompt_logprobs.empty()) {
    made["prompt_logprobs"] = prompt_logprobs_json(prompt, outcome.prompt_logprobs, tokenizer);
  }
  made["usage"] = {{"prompt_tokens", outcome.prompt_tokens},
                   {"cached_tokens", outcome.cached_tokens},
                   {"completion_tokens", generated}};
  return made;
}

}  // namespace xlstm::cli
