// Kept states as state files in memory.
#pragma once

#include <filesystem>
#include <string>

#include "apps/server/api/state_store.h"

namespace xlstm::server::api {

/// The bytes of a state file of all ids of the state: an id that is pending is read first. `scratch`: where a folder
/// for the file may be made, which goes again. On the engine's thread. Errors: those of Engine::save.
std::string to_state_file(engine::Engine& engine, const KeptState& state, const std::filesystem::path& scratch);
/// Errors: those of Engine::restore, without the scratch file's path.
KeptState from_state_file(engine::Engine& engine, std::string_view bytes, const std::filesystem::path& scratch);

}  // namespace xlstm::server::api
