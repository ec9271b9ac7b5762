#include "xlstm/generation/model_draft.h"

#include <algorithm>

namespace xlstm::generation {

ModelDraft::ModelDraft(backend::Backend& backend, std::size_t ids)
    : backend_(backend),
      ids_(std::min(ids, static_cast<std::size_t>(backend.model().config.vocab_size))),
      state_(backend.make_state()),
      logits_(static_cast<std::size_t>(backend.model().config.vocab_size)) {}

bool ModelDraft::knows(std::span<const TokenId> text) const {
  return std::all_of(text.begin(), text.end(),
                     [&](TokenId id) { return id >= 0 && static_cast<std::size_t>(id) < logits_.size(); });
}

void ModelDraft::read(std::span<const TokenId> text) {
  const backend::PrefillRow row{text, state_.get(), backend::Logits::last, logits_};
  backend_.prefill(std::span(&row, 1));
  read_ += text.size();
}

TokenId ModelDraft::best() const {
  const auto end = logits_.begin() + static_cast<std::ptrdiff_t>(ids_);
  return static_cast<TokenId>(std::max_element(logits_.begin(), end) - logits_.begin());
}

std::vector<TokenId> ModelDraft::propose(std::span<const TokenId> text, std::size_t most) {
  const std::span<const TokenId> unread = text.subspan(read_);
  lost_ = lost_ || !knows(unread);
  if (lost_ || most == 0 || unread.empty()) return {};
  read(unread);
  std::vector<TokenId> ids = {best()};
  if (most == 1) return ids;
  const std::unique_ptr<backend::State> ahead = state_->clone();
  while (ids.size() < most) {
    const backend::DecodeRow row{ids.back(), ahead.get(), logits_};
    backend_.decode(std::span(&row, 1));
    ids.push_back(best());
  }
  return ids;
}

}  // namespace xlstm::generation
