// The most memory this process has held, as the system tells it.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

namespace xlstm::tests {

/// Peak resident bytes of this process since the last reset, mapped files included; 0 where the system does not say.
inline std::size_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  std::size_t kibibytes = 0;
  while (status >> word) {
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

/// False where the system cannot do it or tells no peak.
inline bool reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good() && peak_bytes() > 0;
}

}  // namespace xlstm::tests
