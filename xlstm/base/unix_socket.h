// Unix sockets by the path of their file.
#pragma once

#include <sys/un.h>

#include <filesystem>

namespace xlstm {

/// Errors: invalid_argument (a path that is empty or too long for a socket).
sockaddr_un unix_address(const std::filesystem::path& path);

/// Removes a socket that nobody listens on any more: what a killed run left behind. Errors: invalid_argument (something
/// else is there, or a socket in use), not_found (no socket can be made, with the system's reason).
void remove_dead_socket(const std::filesystem::path& path);

}  // namespace xlstm
