// Where guesses for speculative decoding come from: docs/speculative.md.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/engine/engine.h"
#include "xlstm/generation/draft.h"

namespace xlstm::engine {

/// Makes a draft for one request after another.
using DraftSource = std::function<std::unique_ptr<generation::Draft>()>;

/// source: "ngram" (the text itself), or the directory of a smaller model of the same tokenizer, which is loaded once,
/// with `options` (options.model is not looked at) onto the backend cpu. Errors: those of Engine::load;
/// invalid_argument for another tokenizer.
DraftSource draft_source(const std::string& source, const Engine& engine, LoadOptions options);
/// The first of them.
std::unique_ptr<generation::Draft> make_draft(const std::string& source, const Engine& engine, LoadOptions options);

/// One draft for the requests of a conversation: as long as each text goes on from the one before, only what is new is
/// read; else a new draft begins. Not thread-safe.
class LastingDraft final : public generation::Draft {
 public:
  explicit LastingDraft(DraftSource source) : source_(std::move(source)) {}
  /// To be called before each request.
  void next_request() noexcept { compare_ = true; }
  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override;

 private:
  DraftSource source_;
  std::unique_ptr<generation::Draft> draft_;
  std::vector<TokenId> text_;  // of the last proposal
  bool compare_ = true;        // the next text may be another one
};

}  // namespace xlstm::engine
