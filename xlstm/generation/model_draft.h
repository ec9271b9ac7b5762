// Drafts from a smaller model of the same tokenizer: what it finds most probable.
#pragma once

#include <memory>

#include "xlstm/backend/backend.h"
#include "xlstm/generation/draft.h"

namespace xlstm::generation {

/// Greedy. Its state has read exactly the text before the last proposal; proposals are decoded on a copy of it, so
/// what was rejected never has to be taken back. Ids that the model does not have end a proposal, or, in the text,
/// all proposals. The backend must outlive it and run on the thread of the caller.
class ModelDraft final : public Draft {
 public:
  /// ids: those that may be proposed are below it.
  ModelDraft(backend::Backend& backend, std::size_t ids);

  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override;

 private:
  bool knows(std::span<const TokenId> text) const;
  void read(std::span<const TokenId> text);
  TokenId best() const;

  backend::Backend& backend_;
  std::size_t ids_;
  std::unique_ptr<backend::State> state_;  // after read_ ids
  std::size_t read_ = 0;
  bool lost_ = false;          // the text has an id that the model does not know
  std::vector<float> logits_;  // [V]
};

}  // namespace xlstm::generation
