#include "apps/cli/top_screen.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "apps/cli/units.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::json;

/// "99999", then "100.0k", "1.0M": never more than six columns.
std::string short_count(std::uint64_t count) {
  if (count < 100'000) return std::to_string(count);
  constexpr std::array kUnits{'k', 'M', 'G', 'T', 'P', 'E'};
  double value = static_cast<double>(count) / 1e3;
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.1f}{}", value, kUnits[unit]);
}

/// null: beyond the last bucket of a histogram.
std::string time_text(const Json& json) {
  if (json.is_null()) return "a long time";
  const double seconds = json.get<double>();
  return seconds < 1 ? fmt::format("{:.1f} ms", 1e3 * seconds) : fmt::format("{:.1f} s", seconds);
}

class Screen {
 public:
  Screen(const Json& stats, const std::optional<Json>& before) : stats_(stats), before_(before) {}

  std::string text() {
    requests();
    tokens();
    states();
    cache();
    if (number("max_disk_bytes") > 0) disk();
    for (const auto& [name, label] : {std::pair("queue_seconds", "in the queue"),
                                      {"first_token_seconds", "to first token"},
                                      {"inter_token_seconds", "between tokens"},
                                      {"request_seconds", "whole request"}}) {
      times(name, label);
    }
    return std::move(text_);
  }

 private:
  std::uint64_t number(const char* name) const { return stats_.at(name).get<std::uint64_t>(); }
  std::string count(const char* name) const { return short_count(number(name)); }
  std::string bytes(const char* name) const { return human_bytes(number(name)); }
  std::string rate(const char* name) const {
    if (!before_) return "n/a";
    const auto earlier = before_->at(name).get<std::uint64_t>();
    return short_count(number(name) - std::min(earlier, number(name))) + " tok/s";
  }
  void line(const char* label, const std::string& text) { text_ += fmt::format("{:<16}{}\n", label, text); }

  void requests() {
    line("requests", fmt::format("{} running, {} waiting, {} refused | {} in all", count("running"), count("waiting"),
                                 count("refused"), count("submitted")));
    line("ended", fmt::format("{} done, {} cancelled, {} failed, {} drained", count("completed"), count("cancelled"),
                              count("failed"), count("drained")));
    line("steps",
         fmt::format("{} | {} rows in the last, {} preemptions", count("steps"), count("rows"), count("preemptions")));
  }
  void tokens() {
    line("prefill", fmt::format("{} | {} tokens read", rate("prefill_tokens"), count("prefill_tokens")));
    line("decode", fmt::format("{} | {} tokens read, {} generated", rate("decode_tokens"), count("decode_tokens"),
                               count("generated_tokens")));
    if (number("worker_tokens") + number("worker_faults") == 0) return;
    line("workers", fmt::format("{} | {} tokens of prompts read, {} faults", rate("worker_tokens"),
                                count("worker_tokens"), count("worker_faults")));
  }
  void states() {
    line("states", fmt::format("{} of {} | {} forks, {} copies", bytes("state_bytes"), bytes("max_state_bytes"),
                               count("state_forks"), count("state_copies")));
    if (number("swaps_out") + number("swaps_in") == 0) return;
    line("swapped", fmt::format("{} out, {} in", count("swaps_out"), count("swaps_in")));
  }
  /// A hit is in memory unless it was restored.
  void cache() {
    const std::uint64_t hits = number("cache_hits"), restored = number("restores"), queries = number("cache_queries");
    line("prefix cache", fmt::format("{} snapshots, {} | {} given up", count("cached_snapshots"), bytes("cache_bytes"),
                                     count("cache_evictions")));
    line("cache hits",
         fmt::format("{} in memory, {} from disk, {} misses", short_count(hits - std::min(hits, restored)),
                     short_count(restored), short_count(queries - std::min(queries, hits))));
    line("not read again",
         fmt::format("{} tokens, {} of them by states from disk", count("cached_tokens"), count("restored_tokens")));
  }
  void disk() {
    line("state cache", fmt::format("{} snapshots, {} of {} | {} damaged", count("disk_snapshots"), bytes("disk_bytes"),
                                    bytes("max_disk_bytes"), count("disk_damaged")));
    line("disk", fmt::format("{} written, {} read, {} given up, {} lost", count("disk_writes"), count("disk_reads"),
                             count("disk_evictions"), count("disk_dropped")));
  }
  /// Bounds of histograms are those of their buckets.
  void times(const char* name, const char* label) {
    const Json& histogram = stats_.at(name);
    const auto many = histogram.at("count").get<std::uint64_t>();
    if (many == 0) return line(label, "none yet");
    const auto time = [&](const char* share) { return time_text(histogram.at(share)); };
    line(label,
         fmt::format("half below {}, 90 % {}, 99 % {} ({})", time("p50"), time("p90"), time("p99"), short_count(many)));
  }

  const Json& stats_;
  const std::optional<Json>& before_;
  std::string text_;
};

}  // namespace

std::string top_screen(const Json& stats, const std::optional<Json>& before, const std::string& where) {
  try {
    return Screen(stats, before).text();
  } catch (const Json::exception&) {
    fail(ErrorCode::corrupt_file, where, "expected the statistics of a running xlstm but got another line");
  }
}

}  // namespace xlstm::cli
