// A line of xlstm batch: a request as JSON, and what is written for it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "xlstm/engine/service.h"

namespace xlstm::cli {

struct BatchLine {
  nlohmann::ordered_json id;  // the caller's own, null if none
  engine::Submission submission;
};

/// An object with "prompt" (text) or "prompt_ids" (ids), and what overrides `defaults`: "id", "max_tokens",
/// "min_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "frequency_penalty",
/// "presence_penalty", "penalty_window", "seed", "stop", "logit_bias", "ignore_eos", "n", "logprobs", "priority".
/// Errors: invalid_argument naming the key, what was expected and what was found; any other key is one.
BatchLine parse_batch_line(std::string_view line, const generation::Request& defaults, const engine::Engine& engine);

/// {"choices": [{"text", "ids", "finish_reason", "logprobs"?}], "usage": {...}}.
nlohmann::ordered_json batch_result(const engine::Outcome& outcome);

}  // namespace xlstm::cli
