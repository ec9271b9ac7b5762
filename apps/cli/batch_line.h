// A line of xlstm batch: a request as JSON.
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

/// An object with "prompt" (text), "prompt_ids" (ids) or "messages" (and "tools"), which the model's chat template puts
/// together, and what overrides `defaults`: "id", "max_tokens", "min_tokens", "temperature", "top_k", "top_p", "min_p",
/// "repetition_penalty", "frequency_penalty", "presence_penalty", "penalty_window", "seed", "stop", "stop_ids" (beside
/// those of `defaults`), "logit_bias", "ignore_eos", "n", "logprobs", "priority", "best_of", "num_beams",
/// "length_penalty", "early_stopping" (true, false or "never"), "prompt_logprobs", "echo", and one of "grammar",
/// "regex", "json_schema" and "json_object", whose masks are made here. With "num_beams" nothing is drawn: what
/// `defaults` say about that does not count. Errors: invalid_argument naming the key, what was expected and what was
/// found; any other key is one.
BatchLine parse_batch_line(std::string_view line, const engine::Submission& defaults, const engine::Engine& engine);

}  // namespace xlstm::cli
