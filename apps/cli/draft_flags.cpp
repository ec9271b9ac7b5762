#include "apps/cli/draft_flags.h"

#include "apps/cli/numbers.h"

namespace xlstm::cli {

CLI::Option* add_draft_flags(CLI::App& verb, DraftFlags& flags) {
  CLI::Option* draft = verb.add_option("--draft", flags.source,
                                       "Guess tokens ahead, from the text or by a smaller model of the same tokenizer; "
                                       "changes the speed and nothing else")
                           ->type_name("ngram|DIR")
                           ->check(not_empty("ngram or a directory"))
                           ->group("Drafts");
  verb.add_option("--draft-tokens", flags.tokens, "Guesses at a time, at most")
      ->type_name("N")
      ->transform(integer_between(1, generation::kMostDraftTokens))
      ->needs(draft)
      ->group("Drafts")
      ->capture_default_str();
  return draft;
}

std::unique_ptr<generation::Draft> make_draft(const DraftFlags& flags, const engine::Engine& engine,
                                              const ModelFlags& model) {
  return flags.source.empty() ? nullptr : engine::make_draft(flags.source, engine, load_options(model));
}

std::unique_ptr<engine::LastingDraft> make_lasting_draft(const DraftFlags& flags, const engine::Engine& engine,
                                                         const ModelFlags& model) {
  if (flags.source.empty()) return nullptr;
  return std::make_unique<engine::LastingDraft>(engine::draft_source(flags.source, engine, load_options(model)));
}

}  // namespace xlstm::cli
