// xlstm top: a running xlstm, watched through its --stats-socket.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "apps/cli/numbers.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string socket;
  bool once = false;
  bool json = false;
};

std::string times(const Json& stats, const char* name, const char* label) {
  const Json& histogram = stats.at(name);
  if (histogram.at("count") == 0) return fmt::format("{:<16}none yet\n", label);
  const auto ms = [&](const char* share) { return fmt::format("{:.1f} ms", 1e3 * histogram.at(share).get<double>()); };
  return fmt::format("{:<16}half below {}, 90 % {}, 99 % {} ({})\n", label, ms("p50"), ms("p90"), ms("p99"),
                     histogram.at("count").get<std::size_t>());
}

/// Bounds of histograms are those of their buckets. `before`: the line a second earlier, for rates.
std::string screen(const Json& stats, const std::optional<Json>& before) {
  const auto now = [&](const char* name) { return stats.at(name).get<std::size_t>(); };
  const auto rate = [&](const char* name) {
    return before ? human_rate(static_cast<double>(now(name) - before->at(name).get<std::size_t>())) : "n/a";
  };
  const std::size_t queries = now("cache_queries");
  return fmt::format("requests        {} running, {} waiting | {} done, {} cancelled, {} failed, {} refused\n",
                     now("running"), now("waiting"), now("completed"), now("cancelled"), now("failed"),
                     now("refused")) +
         fmt::format("rows            {} in the last step, {} preemptions\n", now("rows"), now("preemptions")) +
         fmt::format("tokens          decode {}, prefill {} | {} generated, {} read\n", rate("decode_tokens"),
                     rate("prefill_tokens"), now("generated_tokens"), now("prefill_tokens")) +
         fmt::format("states          {} of {} | {} forks, {} copies\n", human_bytes(now("state_bytes")),
                     human_bytes(now("max_state_bytes")), now("state_forks"), now("state_copies")) +
         fmt::format("prefix cache    {} snapshots, {} | {} of {} found, {} tokens not read again, {} given up\n",
                     now("cached_snapshots"), human_bytes(now("cache_bytes")), now("cache_hits"), queries,
                     now("cached_tokens"), now("cache_evictions")) +
         (now("max_disk_bytes") == 0
              ? ""
              : fmt::format(
                    "state cache     {} snapshots, {} of {} | {} restored, {} written, {} given up, {} damaged | "
                    "{} swapped out\n",
                    now("disk_snapshots"), human_bytes(now("disk_bytes")), human_bytes(now("max_disk_bytes")),
                    now("restores"), now("disk_writes"), now("disk_evictions"), now("disk_damaged"),
                    now("swaps_out"))) +
         times(stats, "queue_seconds", "in the queue") + times(stats, "first_token_seconds", "to first token") +
         times(stats, "inter_token_seconds", "between tokens") + times(stats, "request_seconds", "whole request");
}

int run(const Options& options) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !options.once && !options.json;
  std::optional<Json> before;
  engine::read_stats(options.socket, [&](const std::string& line) {
    if (options.json) {
      print(line + "\n");
    } else {
      const Json stats = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!stats.is_object() || !stats.contains("request_seconds")) {
        fail(ErrorCode::corrupt_file, options.socket,
             "expected the statistics of a running xlstm but got another line");
      }
      print((terminal ? "\x1b[H\x1b[J" : before ? "\n" : "") + screen(stats, before));
      before = stats;
    }
    flush_output();
    return !options.once;
  });
  return 0;
}

}  // namespace

void add_top(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("top", "Watch a running xlstm");
  verb.add_option("socket", options->socket, "What the running one was given as --stats-socket")
      ->type_name("PATH")
      ->check(not_empty("a path"))
      ->required();
  verb.add_flag("--once", options->once, "Print what there is now and leave");
  verb.add_flag("--json", options->json, "Print the lines as they come");
  verb.footer(
      "Ends when the other does, or with Ctrl-C.\n"
      "Examples:\n"
      "  xlstm batch --input in.jsonl --output out.jsonl --stats-socket /tmp/xlstm.sock &\n"
      "  xlstm top /tmp/xlstm.sock");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
