// The numbers behind a text, as a file: for comparison with a reference.
#pragma once

#include <filesystem>
#include <span>

#include "xlstm/base/token_id.h"
#include "xlstm/engine/engine.h"

namespace xlstm::engine {

/// Reads `tokens` from a fresh state and writes a safetensors file: `logits` float32 [T, V] of every position, and the
/// state after the last token as `state.<name>` float32 with the names and shapes of config::StateTensor.
/// Errors: invalid_argument (no token, an id outside the vocabulary), overloaded (the logits do not fit in memory),
/// internal (the file could not be written; an old one is untouched).
void dump_logits_and_state(Engine& engine, std::span<const TokenId> tokens, const std::filesystem::path& path);

}  // namespace xlstm::engine
