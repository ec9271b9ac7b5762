#include "xlstm/generation/generate.h"

#include <algorithm>
#include <chrono>

#include "xlstm/base/error.h"
#include "xlstm/text/stop_rules.h"

namespace xlstm::generation {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One run of the loop. Invariant: result.state_tokens counts the ids that the state has consumed, whenever something
/// throws.
class Loop {
 public:
  Loop(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer, const Request& request,
       const Callbacks& callbacks, Result& result)
      : backend_(backend),
        state_(state),
        tokenizer_(tokenizer),
        request_(request),
        callbacks_(callbacks),
        result_(result),
        detokenizer_(tokenizer),
        matcher_(request.stop_strings),
        logits_(static_cast<std::size_t>(backend.model().config.vocab_size)) {}

  void run() {
    check();
    history_ = request_.history;
    history_.insert(history_.end(), request_.prompt.begin(), request_.prompt.end());
    result_.finish_reason = prefill() ? decode() : FinishReason::cancelled;
    finish_text();
  }

 private:
  void check() const {
    if (request_.prompt.empty()) {
      fail(ErrorCode::invalid_argument, "generate", "expected a prompt of at least one token but got none");
    }
    if (request_.max_tokens < -1) {
      fail(ErrorCode::invalid_argument, "generate", "expected max_tokens >= -1 but got ", request_.max_tokens);
    }
    sampling::validate(request_.sampling);
    // The whole prompt at once: a bad id in a later piece must not leave a state that has read the pieces before it.
    const backend::PrefillRow row{request_.prompt, &state_, backend::Logits::none, {}};
    backend::check_rows(backend_.model(), std::span(&row, 1));
  }

  bool cancelled() const { return callbacks_.cancel != nullptr && callbacks_.cancel->load(std::memory_order_relaxed); }

  /// Pieces of whole segments, so that cutting changes no bit. False: cancelled.
  bool prefill() {
    const std::span<const TokenId> prompt(request_.prompt);
    const std::size_t segment = std::max<std::size_t>(backend_.prefill_segment(), 1);
    while (result_.state_tokens < prompt.size()) {
      if (cancelled()) return false;
      const std::size_t begin = result_.state_tokens, count = std::min(segment, prompt.size() - begin);
      const bool last = begin + count == prompt.size();
      const backend::PrefillRow row{prompt.subspan(begin, count), &state_,
                                    last ? backend::Logits::last : backend::Logits::none,
                                    last ? std::span<float>(logits_) : std::span<float>()};
      backend_.prefill(std::span(&row, 1));
      result_.state_tokens += count;
      result_.timings.prompt_tokens = result_.state_tokens;
      result_.timings.prefill_seconds = seconds_since(start_);
      if (callbacks_.on_prefill) callbacks_.on_prefill(result_.state_tokens, prompt.size());
    }
    return true;
  }

  FinishReason decode() {
    while (request_.max_tokens < 0 || std::ssize(result_.ids) < request_.max_tokens) {
      if (cancelled()) return FinishReason::cancelled;
      if (!result_.ids.empty()) step(result_.ids.back());
      const TokenId id = sample();
      const auto& stops = request_.stop_ids;
      if (std::find(stops.begin(), stops.end(), id) != stops.end()) return FinishReason::stop_token;
      emit(matcher_.push(detokenizer_.push(id)));
      if (matcher_.stopped()) return FinishReason::stop_string;
    }
    return FinishReason::length;
  }

  void step(TokenId id) {
    const backend::DecodeRow row{id, &state_, logits_};
    backend_.decode(std::span(&row, 1));
    ++result_.state_tokens;
  }

  TokenId sample() {
    const std::size_t limit = std::min(tokenizer_.vocab_size(), logits_.size());
    const TokenId id = sampling::sample(logits_, request_.sampling, history_, limit,
                                        RngKey{request_.sampling.seed, result_.ids.size()});
    history_.push_back(id);
    result_.ids.push_back(id);
    Timings& timings = result_.timings;
    timings.generated_tokens = result_.ids.size();
    if (timings.generated_tokens == 1) {
      first_token_ = Clock::now();
      timings.time_to_first_token_seconds = seconds_since(start_);
    } else {
      timings.decode_seconds = seconds_since(first_token_);
    }
    if (callbacks_.on_token) callbacks_.on_token(id);
    return id;
  }

  void emit(const std::string& text) {
    if (text.empty()) return;
    result_.text += text;
    if (callbacks_.on_text) callbacks_.on_text(text);
  }

  /// What was held back for a character or a stop string that never became whole.
  void finish_text() {
    if (matcher_.stopped()) return;
    emit(matcher_.push(detokenizer_.finish()));
    if (matcher_.stopped()) {
      if (result_.finish_reason == FinishReason::length) result_.finish_reason = FinishReason::stop_string;
      return;
    }
    emit(matcher_.finish());
  }

  backend::Backend& backend_;
  backend::State& state_;
  const tokenizer::Tokenizer& tokenizer_;
  const Request& request_;
  const Callbacks& callbacks_;
  Result& result_;
  tokenizer::StreamingDetokenizer detokenizer_;
  text::StopMatcher matcher_;
  std::vector<float> logits_;     // [V] of the last position
  std::vector<TokenId> history_;  // before the request, prompt, generated
  Clock::time_point start_ = Clock::now();
  Clock::time_point first_token_;
};

double rate(std::size_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

}  // namespace

std::string_view finish_reason_name(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::length:
      return "length";
    case FinishReason::stop_token:
    case FinishReason::stop_string:
      return "stop";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

double Timings::prefill_tokens_per_second() const noexcept { return rate(prompt_tokens, prefill_seconds); }

double Timings::decode_tokens_per_second() const noexcept {
  return rate(generated_tokens > 0 ? generated_tokens - 1 : 0, decode_seconds);
}

void generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
              const Request& request, const Callbacks& callbacks, Result& result) {
  result = {};
  Loop(backend, state, tokenizer, request, callbacks, result).run();
}

Result generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
                const Request& request, const Callbacks& callbacks) {
  Result result;
  generate(backend, state, tokenizer, request, callbacks, result);
  return result;
}

}  // namespace xlstm::generation
