// Flags of speculative decoding: docs/speculative.md.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/cli/flags.h"
#include "xlstm/engine/draft.h"

namespace xlstm::cli {

struct DraftFlags {
  std::string source;  // "ngram" or a directory; empty: none
  std::size_t tokens = generation::Speculation{}.tokens;
};
/// --draft and --draft-tokens; returns the first.
CLI::Option* add_draft_flags(CLI::App& verb, DraftFlags& flags);
/// For one request; null when none is asked for. Errors: those of engine::make_draft.
std::unique_ptr<generation::Draft> make_draft(const DraftFlags& flags, const engine::Engine& engine,
                                              const ModelFlags& model);

/// For one after another, as a conversation has them; else as make_draft.
std::unique_ptr<engine::LastingDraft> make_lasting_draft(const DraftFlags& flags, const engine::Engine& engine,
                                                         const ModelFlags& model);

}  // namespace xlstm::cli
