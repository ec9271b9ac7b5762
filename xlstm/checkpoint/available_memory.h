// How much memory this process may still take, so that a load can be refused before it starts.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string_view>

namespace xlstm::checkpoint {

/// Answers how many bytes can still be allocated; tests put a number of their own here.
using AvailableMemory = std::function<std::size_t()>;

/// The least of MemAvailable in /proc/meminfo and what every memory cgroup (v2, v1) around this process leaves,
/// reclaimable page cache counted as free. SIZE_MAX where the system says nothing. `root` stands for "/" in tests.
std::size_t available_memory_bytes(const std::filesystem::path& root = "/");

/// Throws overloaded, one line naming `where`, what the bytes are for, how many are needed and how many are left.
void require_memory(std::size_t bytes, std::string_view where, std::string_view what, const AvailableMemory& available);

}  // namespace xlstm::checkpoint
