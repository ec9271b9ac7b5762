// What is left of a drained request, from one process to another.
#pragma once

#include <filesystem>

#include "xlstm/engine/engine.h"
#include "xlstm/scheduler/submission.h"

namespace xlstm::engine {

/// The start of `rest` as a state file: state, ids, logits, seed and draws. How it samples and stops is the caller's to
/// keep. On the engine's thread. Errors: invalid_argument (it starts from nothing: there is nothing to keep); those of
/// Engine::save.
void save_rest(Engine& engine, const scheduler::Submission& rest, const std::filesystem::path& path);

/// Gives `submission`, whose prompt is what `rest` had left of it (none: it had drawn before), the start that was
/// saved. An empty history becomes the ids that were read. Errors: those of Engine::restore.
void load_rest(Engine& engine, const std::filesystem::path& path, scheduler::Submission& submission);

}  // namespace xlstm::engine
