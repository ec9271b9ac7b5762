// What one request asks for, and what comes of it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/model/model.h"
#include "xlstm/sampling/sampler.h"
#include "xlstm/text/grammar/token_masks.h"

namespace xlstm::generation {

enum class FinishReason { length, stop_token, stop_string, constraint_end, cancelled };
/// "length", "stop" (token, string, or nothing more that the constraint allows), "cancelled".
std::string_view finish_reason_name(FinishReason reason) noexcept;

struct Request {
  std::vector<TokenId> prompt;  // BOS already in it; at least one id, or none where `logits` are given
  sampling::SamplingParams sampling;
  std::int64_t max_tokens = 128;  // >= 0; -1: no limit
  std::int64_t min_tokens = 0;    // >= 0: so many before a stop id may be drawn or a stop string ends the text
  std::vector<TokenId> stop_ids;  // usually the eos ids; the id itself gives no text
  std::vector<std::string> stop_strings;
  std::vector<TokenId> history;  // ids already in the state (chat), for the penalties
  std::vector<float> logits;     // [V] of the last id in the state: a request without a prompt goes on from here
  /// Of a request that goes on (no prompt): how many of the last ids of the history it has drawn. Random numbers, stop
  /// strings and characters go on from there; their text is not given again.
  std::size_t drawn = 0;
  /// To go on later as if it had never stopped: the state reads the last id as well, and text that may yet become a
  /// stop string or a character is held back, to come out then.
  bool resumable = false;
  bool echo = false;  // the text begins with that of the prompt, special tokens left out; it comes with the first token
  /// What the generated text has to be, or none; made for the tokenizer's vocabulary and shared by requests. Ids that
  /// the grammar does not allow are never drawn, stop ids exactly where the text may end (and min_tokens is reached);
  /// where it has to end the request does. A text that max_tokens, a stop string or cancel ends may be the beginning of
  /// one that matches. Ids drawn before have to match as well.
  std::shared_ptr<const text::grammar::TokenMasks> constraint;
  std::int64_t logprobs = -1;  // -1: none; n: the log-probability of each drawn id and of the n most probable
};

/// An id and its log-probability under the model: before mask, bias, penalties and temperature.
struct IdLogProb {
  TokenId id = 0;
  double logprob = 0;
};

/// What is known about a generated token when Request::logprobs asks for it.
struct TokenLogProbs {
  double logprob = 0;
  std::vector<IdLogProb> top;  // most probable first
};

/// Errors: invalid_argument (no prompt and no logits, logits of another size, drawn with a prompt or beyond the
/// history, an id outside the vocabulary, max_tokens below -1, min_tokens below 0, logprobs below -1, a sampling
/// parameter, an empty stop string).
void validate(const Request& request, const model::Model& model);

/// Called on the caller's thread. Any may be empty.
struct Callbacks {
  std::function<void(std::string_view)> on_text;                        // UTF-8, whole characters, not empty
  std::function<void(TokenId)> on_token;                                // each generated id, before its text
  std::function<void(std::size_t done, std::size_t total)> on_prefill;  // tokens
  const std::atomic<bool>* cancel = nullptr;  // checked between prefill segments and between tokens
  /// False: the result has neither ids, text nor log-probabilities, and its memory does not grow with the text.
  bool keep_output = true;
};

/// Wall-clock seconds, callbacks included. Rates are 0 when there is nothing to divide.
struct Timings {
  std::size_t prompt_tokens = 0;  // prefilled: all of the prompt unless cancelled before its end
  std::size_t generated_tokens = 0;
  double prefill_seconds = 0;              // of the prompt, the head of its last position included
  double decode_seconds = 0;               // from the first generated token to the last
  double time_to_first_token_seconds = 0;  // prefill and the first sample; 0 when no token was generated
  double prefill_tokens_per_second() const noexcept;
  double decode_tokens_per_second() const noexcept;  // tokens after the first / time after the first
};

/// What came of guesses (speculation.h). A pass reads the weights once; without guesses each is one step.
struct SpeculationCounts {
  std::size_t passes = 0, steps = 0;      // steps: ids read by these passes
  std::size_t drafted = 0, accepted = 0;  // guesses, and those that were right and wanted
  double steps_per_pass() const noexcept;
};

struct Result {
  std::vector<TokenId> ids;             // generated, a stop id included; Timings::generated_tokens counts them
  std::string text;                     // without stop string and stop id
  std::vector<TokenLogProbs> logprobs;  // one an id, or none
  FinishReason finish_reason = FinishReason::length;
  Timings timings;
  std::size_t state_tokens = 0;  // ids of prompt + generated that the state has consumed (the last one sampled is not)
  std::vector<float> logits;     // [V] after the last of these; empty when the prompt was not read to its end
  SpeculationCounts speculation;
};

}  // namespace xlstm::generation
