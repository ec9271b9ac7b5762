// Requests that begin with a state: a session's, or what is left of a drained request in another process.
#pragma once

#include <filesystem>

#include "xlstm/engine/engine.h"
#include "xlstm/scheduler/submission.h"

namespace xlstm::engine {

/// The start of `rest` as a state file: state, ids, logits, seed and draws. How it samples and stops is the caller's to
/// keep. On the engine's thread. Errors: invalid_argument (it starts from nothing: there is nothing to keep); those of
/// Engine::save.
void save_rest(Engine& engine, const scheduler::Submission& rest, const std::filesystem::path& path);

/// Makes `submission` begin where the session stands; without a prompt or logits of its own it goes on from there
/// (Session::resume). An empty history becomes the ids that were read. On the engine's thread. Errors: those of
/// Session::resume.
void begin_at(Engine& engine, const Session& session, scheduler::Submission& submission);

/// Gives `submission`, whose prompt is what `rest` had left of it (none: it had drawn before), the start that was
/// saved, as begin_at. Errors: those of Engine::restore.
void load_rest(Engine& engine, const std::filesystem::path& path, scheduler::Submission& submission);

}  // namespace xlstm::engine
