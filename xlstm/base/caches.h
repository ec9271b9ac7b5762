// Sizes of the CPU's caches.
#pragma once

#include <cstddef>
#include <filesystem>

namespace xlstm {

/// In bytes; 0: there is none, or the system does not say.
struct CacheSizes {
  std::size_t l1d = 0;  // of one core
  std::size_t l2 = 0;
  std::size_t l3 = 0;  // usually of several cores
};

/// Of the first CPU: what the kernel says in /sys, else what the C library knows. `root` stands for "/" in tests.
CacheSizes cache_sizes(const std::filesystem::path& root = "/");

}  // namespace xlstm
