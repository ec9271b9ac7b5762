// The screen of xlstm top: everything is on it, and it fits.
#include "apps/cli/top_screen.h"

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "xlstm/base/error.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::cli {
namespace {

using nlohmann::json;

/// What a line says when every number is `value`.
json all(std::uint64_t value) {
  json stats = json::parse(engine::stats_json({}));
  for (auto& [name, item] : stats.items()) {
    if (!item.is_object()) {
      item = value;
      continue;
    }
    for (auto& [part, number] : item.items()) number = value;
  }
  return stats;
}

TEST(TopScreen, EveryNumberIsOnIt) {
  const json stats = all(5);
  const std::string text = top_screen(stats, stats, "test");
  for (const auto& [name, item] : stats.items()) {
    json changed = stats;
    if (!item.is_object()) {
      changed[name] = 9;
      EXPECT_NE(top_screen(changed, stats, "test"), text) << name;
      continue;
    }
    for (const char* part : {"count", "p50", "p90", "p99"}) {
      changed = stats;
      changed[name][part] = 9;
      EXPECT_NE(top_screen(changed, stats, "test"), text) << name << ' ' << part;
    }
  }
}

TEST(TopScreen, FitsEightyColumns) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{99'999}, std::uint64_t{999'949'999},
                                    std::uint64_t{1} << 50, std::numeric_limits<std::uint64_t>::max() / 8}) {
    json stats = all(value);
    for (const char* name : {"queue_seconds", "first_token_seconds", "inter_token_seconds", "request_seconds"}) {
      for (const char* share : {"p50", "p90", "p99"}) stats[name][share] = 1677.7216;  // the last bucket's bound
    }
    for (const std::optional<json>& before : {std::optional<json>(), std::optional<json>(all(0))}) {
      std::istringstream lines(top_screen(stats, before, "test"));
      for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
    }
  }
}

TEST(TopScreen, RatesAreThoseOfASecondAndHitsAreTold) {
  json before = all(0), now = all(0);
  now["decode_tokens"] = 1'234'567;
  now["prefill_tokens"] = 7;
  now["cache_queries"] = 10;
  now["cache_hits"] = 6;
  now["restores"] = 2;
  const std::string text = top_screen(now, before, "test");
  EXPECT_NE(text.find("1.2M tok/s | 1.2M tokens read"), std::string::npos) << text;
  EXPECT_NE(text.find("7 tok/s | 7 tokens read"), std::string::npos) << text;
  EXPECT_NE(text.find("4 in memory, 2 from disk, 4 misses"), std::string::npos) << text;
  EXPECT_EQ(text.find("workers"), std::string::npos) << "there are none";
  EXPECT_NE(top_screen(now, std::nullopt, "test").find("n/a"), std::string::npos);
}

TEST(TopScreen, AnotherLineIsRefused) {
  json lacks = all(1);
  lacks.erase("swaps_in");
  json text = all(1);
  text["running"] = "many";
  for (const json& line : {json(), json::array(), json(3), lacks, text}) {
    EXPECT_THROW(top_screen(line, std::nullopt, "test"), Error) << line;
  }
  json beyond = all(1);
  beyond["request_seconds"]["p99"] = nullptr;  // beyond the last bucket
  EXPECT_NE(top_screen(beyond, std::nullopt, "test").find("a long time"), std::string::npos);
}

}  // namespace
}  // namespace xlstm::cli
