// Logits -> token id. Pure functions: all randomness is in the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "xlstm/base/random.h"
#include "xlstm/base/token_id.h"

namespace xlstm::sampling {

/// Order of evaluation: mask (ids >= vocab_limit, banned ids), logit bias, repetition / frequency / presence penalty,
/// temperature, top-k, top-p, min-p, one draw. Temperature 0 takes the largest logit (lowest id on a tie) after the
/// penalties. Of equal logits the lower id counts as the more probable, so top-k keeps exactly k. Top-p keeps the
/// shortest run of most probable ids whose share of what top-k left reaches top_p, at least one. Biased and penalised
/// logits are clamped to float's range.
struct SamplingParams {
  float temperature = 1.0f;          // >= 0
  std::int64_t top_k = 0;            // 0: off
  float top_p = 1.0f;                // (0, 1]; 1: off
  float min_p = 0.0f;                // [0, 1]; 0: off. Relative to the largest probability
  float repetition_penalty = 1.0f;   // > 0; 1: off (CTRL, arXiv:1909.05858: divide positive, multiply negative logits)
  float frequency_penalty = 0.0f;    // subtracts penalty * count
  float presence_penalty = 0.0f;     // subtracts penalty once
  std::int64_t penalty_window = -1;  // ids looked back at, prompt included; -1: all, 0: none
  std::vector<std::pair<TokenId, float>> logit_bias;  // added; -inf bans; ids beyond the vocabulary have no effect
  std::uint64_t seed = 0;
};

/// Errors: invalid_argument naming the field, what it must be and what it is (NaN included).
void validate(const SamplingParams& params);

/// How many of the last ids sample() looks at; none: all of them.
std::optional<std::size_t> history_window(const SamplingParams& params);

/// The next token id. logits [V], not modified; history: ids so far, prompt first.
/// vocab_limit: ids at or beyond are never chosen (the tokenizer's size; V is padded).
/// Errors: those of validate(); internal when no finite logit is left, or a logit is NaN or +inf.
/// Cost: one pass over V for greedy, two and V exponentials without filters; never a sort of V.
TokenId sample(std::span<const float> logits, const SamplingParams& params, std::span<const TokenId> history,
               std::size_t vocab_limit, RngKey key);

/// The distribution that sample() draws from: (id, probability), probabilities sum to 1, most probable first.
/// At temperature 0: one entry with probability 1. Errors: as sample().
std::vector<std::pair<TokenId, double>> distribution(std::span<const float> logits, const SamplingParams& params,
                                                     std::span<const TokenId> history, std::size_t vocab_limit);

/// log-softmax of logits at `id`, within 1e-6. Errors: invalid_argument (id outside), internal (NaN, +inf or no finite
/// logit).
double log_probability(std::span<const float> logits, TokenId id);

/// The `count` largest of log-softmax of logits (all, if there are fewer), most probable first, the lower id first on a
/// tie; within 1e-6. Errors: internal (NaN, +inf or no finite logit).
std::vector<std::pair<TokenId, double>> top_log_probabilities(std::span<const float> logits, std::size_t count);

}  // namespace xlstm::sampling
