// One request: the plain loop that defines the right answer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/sampling/sampler.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::generation {

enum class FinishReason { length, stop_token, stop_string, cancelled };
/// "length", "stop" (token or string), "cancelled".
std::string_view finish_reason_name(FinishReason reason) noexcept;

struct Request {
  std::vector<TokenId> prompt;  // at least one id; BOS already in it
  sampling::SamplingParams sampling;
  std::int64_t max_tokens = 128;  // >= 0; -1: no limit
  std::vector<TokenId> stop_ids;  // usually the eos ids; the id itself gives no text
  std::vector<std::string> stop_strings;
  std::vector<TokenId> history;  // ids already in the state (chat), for the penalties
};

/// Called on the caller's thread. Any may be empty.
struct Callbacks {
  std::function<void(std::string_view)> on_text;                        // UTF-8, whole characters, not empty
  std::function<void(TokenId)> on_token;                                // each generated id, before its text
  std::function<void(std::size_t done, std::size_t total)> on_prefill;  // tokens
  const std::atomic<bool>* cancel = nullptr;  // checked between prefill segments and between tokens
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

struct Result {
  std::vector<TokenId> ids;  // generated, a stop id included
  std::string text;          // without stop string and stop id
  FinishReason finish_reason = FinishReason::length;
  Timings timings;
  std::size_t state_tokens = 0;  // ids of prompt + generated that the state has consumed (the last one sampled is not)
};

/// Prefills, then samples and decodes until a stop rule, max_tokens or cancel. `state` is advanced.
/// Throughout, token i of the request is drawn with RngKey{seed, i}. A decode step is made only for a token that is
/// wanted, so the state has never consumed the last id of the result. Ids at or beyond the tokenizer's size are never
/// chosen. Errors: invalid_argument (empty prompt, id outside the vocabulary, max_tokens below -1, a sampling
/// parameter, an empty stop string), all before the state changes; internal (logits that are not numbers).
Result generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
                const Request& request, const Callbacks& callbacks = {});

/// The same, kept in `result` as it goes: when something throws half-way (a callback, the sampler), `result` still says
/// what was generated and how many tokens the state has consumed.
void generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
              const Request& request, const Callbacks& callbacks, Result& result);

}  // namespace xlstm::generation
