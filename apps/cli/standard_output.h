// The standard streams. Standard output carries results and nothing else; what cannot be written is an error.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace xlstm::cli {

/// Errors: internal, with the system's reason. A reader that went away ends the program silently (SIGPIPE).
void print(std::string_view text);
void flush_output();

/// To standard error. Where nobody can hear it, nothing is wrong.
void say(const std::string& text) noexcept;

/// The whole of a file, "-" being standard input. Errors: not_found, with the system's reason.
std::string read_text(const std::filesystem::path& path);

/// The next line of standard input, without its newline; false at the end. Errors: not_found, with the system's reason.
bool read_line(std::string& line);

}  // namespace xlstm::cli
