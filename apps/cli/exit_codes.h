// What the program ends with, and the one line it says when something went wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "xlstm/base/error.h"

namespace xlstm::cli {

inline constexpr int kExitUsage = 2;
inline constexpr int kExitCancelled = 130;
inline constexpr int kExitInternal = 70;

/// 2 invalid_argument and unsupported, 3 not_found and corrupt_file, 4 overloaded, 130 cancelled (143 by SIGTERM), 70
/// internal.
int exit_code(ErrorCode code) noexcept;

/// "xlstm: error: ..." on standard error, always one line.
void print_error(std::string_view message);

/// Runs `f`; whatever it throws becomes one line on standard error and an exit code.
int report_errors(const std::function<int()>& f) noexcept;

/// What to do about a command line that asks for help or is wrong: help and version go to standard output (exit 0), a
/// fault becomes one line on standard error that names the flag, what was expected and where the help is (exit 2).
int report_parse_error(const CLI::App& program, const CLI::ParseError& error);

}  // namespace xlstm::cli
