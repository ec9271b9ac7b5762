// xlstm state diff: how far two states are from each other, no model needed.
#include "xlstm/engine/state_diff.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/standard_output.h"
#include "apps/cli/state_verbs.h"

namespace xlstm::cli {
namespace {

using engine::NamedDifference;
using engine::StateDiff;
using nlohmann::ordered_json;

struct Options {
  std::string a, b;
  bool json = false;
};

ordered_json to_json(const std::vector<NamedDifference>& rows) {
  ordered_json json = ordered_json::array();
  for (const auto& [name, found] : rows) {
    json.push_back({{"name", name},
                    {"max_absolute", found.max_absolute},
                    {"mean_absolute", found.mean_absolute},
                    {"max_relative", found.max_relative},
                    {"mean_relative", found.mean_relative},
                    {"same_bits", found.same_bits}});
  }
  return json;
}

ordered_json to_json(const StateDiff& diff) {
  return {{"equal", diff.equal},
          {"same_model", diff.a.model_hash == diff.b.model_hash},
          {"token_counts", {diff.a.token_count, diff.b.token_count}},
          {"common_tokens", diff.common_ids},
          {"layers", to_json(diff.layers)},
          {"tensors", to_json(diff.tensors)}};
}

std::string to_text(const std::vector<NamedDifference>& rows, const char* head) {
  std::string text =
      fmt::format("{:<28} {:>10} {:>10} {:>10} {:>10}\n", head, "max abs", "mean abs", "max rel", "mean rel");
  for (const auto& [name, found] : rows) {
    text += fmt::format("{:<28} {:>10.3g} {:>10.3g} {:>10.3g} {:>10.3g}\n", name, found.max_absolute,
                        found.mean_absolute, found.max_relative, found.mean_relative);
  }
  return text;
}

std::string to_text(const StateDiff& diff) {
  std::string text =
      fmt::format("tokens read: {} and {}, the first {} in common{}\n", diff.a.token_count, diff.b.token_count,
                  diff.common_ids, diff.a.model_hash == diff.b.model_hash ? "" : "; of different models");
  if (diff.equal) return text + "the states are equal, bit for bit\n";
  return text + to_text(diff.layers, "layer") + to_text(diff.tensors, "tensor");
}

int run(const Options& options) {
  const StateDiff diff = engine::diff_states(options.a, options.b);
  print(options.json ? to_json(diff).dump() + "\n" : to_text(diff));
  flush_output();
  return diff.equal ? 0 : 1;
}

}  // namespace

void add_state_diff(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *group.add_subcommand(
      "diff", "How far two states of one shape are from each other; exit code 0 when they are equal, else 1");
  add_state_file(verb, "FILE1", options->a);
  add_state_file(verb, "FILE2", options->b);
  verb.add_flag("--json", options->json, "Print one JSON object; a relative difference without bound is null");
  verb.footer(
      "Relative differences are to the largest (max) and to the mean magnitude (mean) in the first file.\n"
      "Examples:\n"
      "  xlstm state diff manual.xst manual2.xst");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
