// Where guesses for speculative decoding come from: docs/speculative.md.
#pragma once

#include <memory>
#include <string>

#include "xlstm/engine/engine.h"
#include "xlstm/generation/draft.h"

namespace xlstm::engine {

/// For one request of `engine`. source: "ngram" (the text itself), or the directory of a smaller model of the same
/// tokenizer, which is loaded with `options` (options.model is not looked at) onto the backend cpu. Errors: those of
/// Engine::load; invalid_argument for another tokenizer.
std::unique_ptr<generation::Draft> make_draft(const std::string& source, const Engine& engine, LoadOptions options);

}  // namespace xlstm::engine
