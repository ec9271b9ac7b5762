#include "xlstm/generation/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "xlstm/generation/sequence.h"

namespace xlstm::generation {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// One run of the loop. Invariant: result.state_tokens counts the ids that the state has consumed, whenever something
/// throws.
class Loop {
 public:
  Loop(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer, const Request& request,
       const Callbacks& callbacks, Result& result, const Speculation& speculation)
      : backend_(backend),
        state_(state),
        request_(request),
        prompt_(request.prompt),
        callbacks_(callbacks),
        result_(result),
        sequence_(tokenizer, request),
        logits_(static_cast<std::size_t>(backend.model().config.vocab_size)) {
    if (speculation.draft == nullptr) return;
    std::vector<TokenId> text = request.history;
    text.insert(text.end(), prompt_.begin(), prompt_.end());
    ahead_.emplace(backend, state, speculation, std::move(text));
  }

  void run() {
    result_.finish_reason = FinishReason::cancelled;
    if (!prefill()) return;
    try {
      finish();
    } catch (...) {
      settle();
      throw;
    }
    settle();
    result_.logits = std::move(logits_);
  }

 private:
  void finish() {
    decode();
    emit(sequence_.ended() ? sequence_.take_echo() : sequence_.end(FinishReason::cancelled));
    result_.finish_reason = sequence_.finish_reason();
    if (request_.resumable) read_last();
  }

  void settle() {
    if (!ahead_) return;
    ahead_->settle();
    result_.speculation = ahead_->counts();
  }

  bool cancelled() const { return callbacks_.cancel != nullptr && callbacks_.cancel->load(std::memory_order_relaxed); }

  /// Pieces of whole segments, so that cutting changes no bit. False: cancelled.
  bool prefill() {
    if (prompt_.empty()) logits_ = request_.logits;
    const std::size_t segment = std::max<std::size_t>(backend_.prefill_segment(), 1);
    while (result_.state_tokens < prompt_.size()) {
      if (cancelled()) return false;
      const std::size_t begin = result_.state_tokens, count = std::min(segment, prompt_.size() - begin);
      const bool last = begin + count == prompt_.size();
      const backend::PrefillRow row{prompt_.subspan(begin, count), &state_,
                                    last ? backend::Logits::last : backend::Logits::none,
                                    last ? std::span<float>(logits_) : std::span<float>()};
      backend_.prefill(std::span(&row, 1));
      result_.state_tokens += count;
      result_.timings.prompt_tokens = result_.state_tokens;
      result_.timings.prefill_seconds = seconds_since(start_);
      if (callbacks_.on_prefill) callbacks_.on_prefill(result_.state_tokens, prompt_.size());
    }
    return true;
  }

  void decode() {
    while (!sequence_.ended() && !cancelled()) {
      if (last_) step(*last_, useful_guesses());
      Token token = sequence_.next(logits_);
      last_ = token.id;
      keep(token);
      note_time();
      if (callbacks_.on_token) callbacks_.on_token(token.id);
      emit(token.text);
    }
  }

  /// Behind the last id, of which the logits draw one more anyway.
  std::size_t useful_guesses() const {
    if (request_.max_tokens < 0) return backend::kMaxVerifyTokens;
    return static_cast<std::size_t>(request_.max_tokens) - sequence_.num_generated() - 1;
  }

  void keep(Token& token) {
    if (!callbacks_.keep_output) return;
    result_.ids.push_back(token.id);
    if (token.logprobs) result_.logprobs.push_back(std::move(*token.logprobs));
  }

  void step(TokenId id, std::size_t guesses) {
    if (ahead_) {
      ahead_->step(id, guesses, logits_);
    } else {
      const backend::DecodeRow row{id, &state_, logits_};
      backend_.decode(std::span(&row, 1));
    }
    ++result_.state_tokens;
  }

  void read_last() {
    if (result_.state_tokens < prompt_.size() + sequence_.num_generated()) step(*last_, 0);
  }

  void note_time() {
    Timings& timings = result_.timings;
    timings.generated_tokens = sequence_.num_generated();
    if (timings.generated_tokens == 1) {
      first_token_ = Clock::now();
      timings.time_to_first_token_seconds = seconds_since(start_);
    } else {
      timings.decode_seconds = seconds_since(first_token_);
    }
  }

  void emit(const std::string& text) {
    if (text.empty()) return;
    if (callbacks_.keep_output) result_.text += text;
    if (callbacks_.on_text) callbacks_.on_text(text);
  }

  backend::Backend& backend_;
  backend::State& state_;
  const Request& request_;
  std::span<const TokenId> prompt_;
  const Callbacks& callbacks_;
  Result& result_;
  Sequence sequence_;
  std::optional<SpeculativeSteps> ahead_;  // none: plain steps
  std::vector<float> logits_;              // [V] of the last position
  std::optional<TokenId> last_;            // generated
  Clock::time_point start_ = Clock::now();
  Clock::time_point first_token_;
};

}  // namespace

void generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
              const Request& request, const Callbacks& callbacks, Result& result, const Speculation& speculation) {
  result = {};
  validate(request, backend.model());
  Loop(backend, state, tokenizer, request, callbacks, result, speculation).run();
}

Result generate(backend::Backend& backend, backend::State& state, const tokenizer::Tokenizer& tokenizer,
                const Request& request, const Callbacks& callbacks, const Speculation& speculation) {
  Result result;
  generate(backend, state, tokenizer, request, callbacks, result, speculation);
  return result;
}

}  // namespace xlstm::generation
