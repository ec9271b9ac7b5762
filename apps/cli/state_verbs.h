// The actions of `xlstm state` that stand in files of their own, and what they have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "apps/cli/verbs.h"

namespace xlstm::cli {

/// A required argument without a flag.
void add_state_file(CLI::App& verb, const char* name, std::string& file);

void add_state_info(CLI::App& group, Action& action);
void add_state_diff(CLI::App& group, Action& action);

}  // namespace xlstm::cli
