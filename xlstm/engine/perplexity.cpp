#include <algorithm>
#include <cmath>

#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"
#include "xlstm/sampling/sampler.h"

namespace xlstm::engine {

Perplexity Perplexity::of(std::size_t tokens, double nll) {
  const double mean = nll / static_cast<double>(tokens - 1);
  return {tokens, mean, std::exp(mean)};
}

Perplexity Engine::perplexity(std::span<const TokenId> tokens, const generation::Callbacks& callbacks) {
  if (tokens.size() < 2) {
    fail(ErrorCode::invalid_argument, "perplexity", "expected at least 2 tokens but got ", tokens.size());
  }
  Session session = new_session();
  const backend::PrefillRow whole{tokens, &session.state(), backend::Logits::none, {}};
  backend::check_rows(*model_, std::span(&whole, 1));

  const auto vocab = static_cast<std::size_t>(model_->config.vocab_size);
  const std::size_t segment = std::min(std::max<std::size_t>(backend_->prefill_segment(), 1), tokens.size());
  std::vector<float> logits = new_logits(segment);
  double nll = 0;
  for (std::size_t begin = 0; begin < tokens.size(); begin += segment) {
    if (callbacks.cancel != nullptr && *callbacks.cancel) fail(ErrorCode::cancelled, "perplexity", "cancelled");
    const std::size_t count = std::min(segment, tokens.size() - begin);
    const backend::PrefillRow row{tokens.subspan(begin, count), &session.state(), backend::Logits::all,
                                  std::span(logits).first(count * vocab)};
    backend_->prefill(std::span(&row, 1));
    for (std::size_t t = 0; t < count && begin + t + 1 < tokens.size(); ++t) {
      nll -= sampling::log_probability(std::span(logits).subspan(t * vocab, vocab), tokens[begin + t + 1]);
    }
    if (callbacks.on_prefill) callbacks.on_prefill(begin + count, tokens.size());
  }
  return Perplexity::of(tokens.size(), nll);
}

}  // namespace xlstm::engine
