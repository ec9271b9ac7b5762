#include "xlstm/generation/speculation.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::generation {

SpeculativeSteps::SpeculativeSteps(backend::Backend& backend, backend::State& state, const Speculation& speculation,
                                   std::vector<TokenId> before)
    : backend_(backend), state_(state), speculation_(speculation), text_(std::move(before)) {
  if (speculation.tokens == 0 || speculation.tokens > kMostDraftTokens) {
    fail(ErrorCode::invalid_argument, "draft", "expected 1 to ", kMostDraftTokens, " tokens but got ",
         speculation.tokens);
  }
  if (!backend.can_verify()) {
    fail(ErrorCode::unsupported, "draft", "expected the backend cpu but got ", backend.name());
  }
  logits_.resize((speculation.tokens + 1) * static_cast<std::size_t>(backend.model().config.vocab_size));
}

std::span<const float> SpeculativeSteps::logits_of(std::size_t row) const {
  const auto vocab = static_cast<std::size_t>(backend_.model().config.vocab_size);
  return std::span(logits_).subspan(row * vocab, vocab);
}

void SpeculativeSteps::step(TokenId id, std::size_t most, std::span<float> logits) {
  text_.push_back(id);
  if (used_ > 0 && used_ < verified_.size() && verified_[used_] == id) {
    std::copy_n(logits_of(used_).begin(), logits.size(), logits.begin());
    ++used_;
    ++counts_.accepted;
  } else {
    settle();
    pass(id, std::min(most, speculation_.tokens), logits);
    ++counts_.passes;
  }
  ++counts_.steps;
}

/// Up to the first that the model does not have.
std::vector<TokenId> SpeculativeSteps::guesses(std::size_t most) {
  if (most == 0) return {};
  std::vector<TokenId> ids = speculation_.draft->propose(text_, most);
  XLSTM_CHECK(ids.size() <= most);
  const TokenId vocab = static_cast<TokenId>(logits_of(0).size());
  ids.erase(std::find_if(ids.begin(), ids.end(), [&](TokenId id) { return id < 0 || id >= vocab; }), ids.end());
  return ids;
}

void SpeculativeSteps::pass(TokenId id, std::size_t most, std::span<float> logits) {
  verified_ = guesses(most);
  if (verified_.empty()) {
    const backend::DecodeRow row{id, &state_, logits};
    return backend_.decode(std::span(&row, 1));
  }
  verified_.insert(verified_.begin(), id);
  backend_.verify({verified_, &state_, std::span(logits_).first(verified_.size() * logits.size())});
  std::copy_n(logits_of(0).begin(), logits.size(), logits.begin());
  used_ = 1;
  counts_.drafted += verified_.size() - 1;
}

void SpeculativeSteps::settle() {
  if (const std::size_t used = std::exchange(used_, 0); used > 0) backend_.accept(state_, used);
}

}  // namespace xlstm::generation
