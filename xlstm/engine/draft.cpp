#include "xlstm/engine/draft.h"

#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/generation/model_draft.h"
#include "xlstm/generation/ngram_draft.h"

namespace xlstm::engine {
namespace {

/// A ModelDraft and the engine that it needs.
class EngineDraft final : public generation::Draft {
 public:
  explicit EngineDraft(std::unique_ptr<Engine> engine)
      : engine_(std::move(engine)), draft_(engine_->backend(), engine_->tokenizer().vocab_size()) {}

  std::vector<TokenId> propose(std::span<const TokenId> text, std::size_t most) override {
    return draft_.propose(text, most);
  }

 private:
  std::unique_ptr<Engine> engine_;
  generation::ModelDraft draft_;
};

}  // namespace

std::unique_ptr<generation::Draft> make_draft(const std::string& source, const Engine& engine, LoadOptions options) {
  if (source == "ngram") return std::make_unique<generation::NgramDraft>();
  options.model = source;
  options.backend = "cpu";
  auto drafting = Engine::load(options);
  if (drafting->tokenizer().fingerprint() != engine.tokenizer().fingerprint()) {
    fail(ErrorCode::invalid_argument, source, "expected a model with the tokenizer of ", engine.source(),
         " but got one with another");
  }
  return std::make_unique<EngineDraft>(std::move(drafting));
}

}  // namespace xlstm::engine
