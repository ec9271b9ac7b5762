// What xlstm top shows of a line of a stats socket.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace xlstm::cli {

/// Lines of at most 80 columns with everything that engine::stats_json tells, in groups; what does not happen in such a
/// run (no disk, no workers) is left out. before: the line a second earlier, for rates. Errors: corrupt_file for JSON
/// that is no such line, naming `where`.
std::string top_screen(const nlohmann::json& stats, const std::optional<nlohmann::json>& before,
                       const std::string& where);

}  // namespace xlstm::cli
