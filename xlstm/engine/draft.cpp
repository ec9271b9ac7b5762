#include "xlstm/engine/draft.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/generation/model_draft.h"
#include "xlstm/generation/ngram_draft.h"

namespace xlstm::engine {
namespace {

/// A ModelDraft and the engine that it needs.
class EngineDraft final : public generation::Draft {
 public:
  explicit EngineDraft(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)), draft_(engine_->backend(), engine_->tokenizer().vocab_size()) {}

  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override {
    return draft_.propose(text, most);
  }

 private:
  std::shared_ptr<Engine> engine_;
  generation::ModelDraft draft_;
};

}  // namespace

DraftSource draft_source(const std::string& source, const Engine& engine, LoadOptions options) {
  if (source == "ngram") return [] { return std::make_unique<generation::NgramDraft>(); };
  options.model = source;
  options.backend = "cpu";
  const std::shared_ptr<Engine> drafting = Engine::load(options);
  if (drafting->tokenizer().fingerprint() != engine.tokenizer().fingerprint()) {
    fail(ErrorCode::invalid_argument, source, "expected a model with the tokenizer of ", engine.source(),
         " but got one with another");
  }
  return [drafting] { return std::make_unique<EngineDraft>(drafting); };
}

std::unique_ptr<generation::Draft> make_draft(const std::string& source, const Engine& engine, LoadOptions options) {
  return draft_source(source, engine, std::move(options))();
}

std::vector<TokenId> LastingDraft::propose(std::span<const TokenId> text, std::size_t most) {
  const bool goes_on =
      text.size() >= text_.size() && (!compare_ || std::equal(text_.begin(), text_.end(), text.begin()));
  if (!draft_ || !goes_on) {
    draft_ = source_();
    text_.clear();
  }
  compare_ = false;
  text_.insert(text_.end(), text.begin() + std::ssize(text_), text.end());
  return draft_->propose(text, most);
}

}  // namespace xlstm::engine
