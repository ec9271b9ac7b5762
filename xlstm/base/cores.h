// How many cores this process may use, and what says so.
#pragma once

#include <filesystem>
#include <optional>

namespace xlstm {

struct Cores {
  int online = 1;               // of the machine
  int affinity = 1;             // of the affinity mask
  std::optional<double> quota;  // of the control groups (cgroup.h), in cores
  int available = 1;            // the least of these, a part of a core counted as one; at least 1
};

/// `root` stands for "/" in tests, as far as files are read: for the quota.
Cores cores(const std::filesystem::path& root = "/");

inline int available_cores() { return cores().available; }

}  // namespace xlstm
