#include "xlstm/generation/request.h"

#include "xlstm/base/error.h"

namespace xlstm::generation {
namespace {

double rate(std::size_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

void expect(bool holds, const char* what, std::int64_t found) {
  if (!holds) fail(ErrorCode::invalid_argument, "generate", "expected ", what, " but got ", found);
}

void check_start(const Request& request, std::int64_t vocab) {
  if (request.prompt.empty() && request.logits.empty()) {
    fail(ErrorCode::invalid_argument, "generate", "expected a prompt of at least one token but got none");
  }
  if (request.prompt.empty() && std::ssize(request.logits) != vocab) {
    fail(ErrorCode::invalid_argument, "generate", "expected ", vocab, " logits to go on from but got ",
         request.logits.size());
  }
  const std::size_t most = request.prompt.empty() ? request.history.size() : 0;
  if (request.drawn > most) {
    fail(ErrorCode::invalid_argument, "generate", "expected at most ", most, " tokens drawn before but got ",
         request.drawn);
  }
}

}  // namespace

std::string_view finish_reason_name(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::stop_token:
    case FinishReason::stop_string:
    case FinishReason::constraint_end:
      return "stop";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

void validate(const Request& request, const model::Model& model) {
  const std::int64_t vocab = model.config.vocab_size;
  check_start(request, vocab);
  for (const TokenId id : request.prompt) {
    if (id >= 0 && id < vocab) continue;
    fail(ErrorCode::invalid_argument, "token", "expected an id from 0 to ", vocab - 1, " but got ", id);
  }
  expect(request.max_tokens >= -1, "max_tokens >= -1", request.max_tokens);
  expect(request.min_tokens >= 0, "min_tokens >= 0", request.min_tokens);
  expect(request.logprobs >= -1, "logprobs >= 0, or -1 for none,", request.logprobs);
  sampling::validate(request.sampling);
  for (const std::string& stop : request.stop_strings) {
    if (stop.empty()) fail(ErrorCode::invalid_argument, "stop", "expected a text but got an empty one");
  }
}

double Timings::prefill_tokens_per_second() const noexcept { return rate(prompt_tokens, prefill_seconds); }

double SpeculationCounts::steps_per_pass() const noexcept { return rate(steps, static_cast<double>(passes)); }

double Timings::decode_tokens_per_second() const noexcept {
  return rate(generated_tokens > 0 ? generated_tokens - 1 : 0, decode_seconds);
}

}  // namespace xlstm::generation
