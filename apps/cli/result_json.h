// Answers as JSON, and what is known about their tokens.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "xlstm/engine/service.h"

namespace xlstm::cli {

/// {"id", "text", "logprob", "top": [{"id", "text", "logprob"}]} of each id; text: of the token alone, U+FFFD for what
/// is no whole character. REQUIRES: as many ids as logprobs.
nlohmann::ordered_json logprobs_json(std::span<const TokenId> ids, std::span<const generation::TokenLogProbs> logprobs,
                                     const tokenizer::Tokenizer& tokenizer);
/// The same of a prompt (scheduler::Outcome::prompt_logprobs), null where nothing is known: its first id. Of a prompt
/// that was not read to its end what was read.
nlohmann::ordered_json prompt_logprobs_json(std::span<const TokenId> prompt,
                                            std::span<const std::optional<generation::TokenLogProbs>> logprobs,
                                            const tokenizer::Tokenizer& tokenizer);

/// Of a request of xlstm batch: {"choices": [{"text", "ids", "finish_reason", "logprobs"?, "score"?}],
/// "prompt_logprobs"?: [null, {...}], "usage": {...}}; log-probabilities as above. scored: with best_of or beams.
/// prompt: of the request, where its log-probabilities were asked for.
nlohmann::ordered_json batch_result(const engine::Outcome& outcome, bool scored, std::span<const TokenId> prompt,
                                    const tokenizer::Tokenizer& tokenizer);

}  // namespace xlstm::cli
