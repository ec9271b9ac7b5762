#include "apps/cli/units.h"

#include <fmt/format.h>

#include <array>

namespace xlstm::cli {

std::string human_bytes(std::size_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_count(std::int64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t at = 0; at < digits.size(); ++at) {
    const bool group_begins = at > 0 && (digits.size() - at) % 3 == 0 && digits[at - 1] != '-';
    if (group_begins) text += ',';
    text += digits[at];
  }
  return text;
}

std::string human_rate(double tokens_per_second) {
  return tokens_per_second > 0 ? fmt::format("{:.1f} tok/s", tokens_per_second) : "n/a";
}

}  // namespace xlstm::cli
