// xlstm state info: what a state file says, no model needed.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cli/standard_output.h"
#include "apps/cli/state_verbs.h"
#include "apps/cli/units.h"
#include "xlstm/engine/state_diff.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;
using state::StateInfo;

struct Options {
  std::string file;
  bool json = false;
};

ordered_json text_or_null(const std::string& text) { return text.empty() ? ordered_json() : ordered_json(text); }

ordered_json to_json(const std::string& file, const state::StoredState& stored) {
  const StateInfo& info = stored.info;
  ordered_json json = {{"file", file},
                       {"format_version", info.format_version},
                       {"model_hash", info.model_hash},
                       {"tokenizer_hash", info.tokenizer_hash},
                       {"token_count", info.token_count},
                       {"ids_hash", info.ids_hash},
                       {"state_dtype", dtype_name(info.state_dtype)},
                       {"sampler", nullptr},
                       {"aligned", info.aligned},
                       {"arithmetic", text_or_null(info.arithmetic)},
                       {"program_version", text_or_null(info.program_version)},
                       {"created", text_or_null(info.created)},
                       {"checksum", info.checksum},
                       {"compressed", info.compressed},
                       {"file_bytes", info.file_bytes},
                       {"content_bytes", info.content_bytes},
                       {"tensors", ordered_json::array()}};
  if (info.sampler) json["sampler"] = {{"seed", info.sampler->seed}, {"drawn", info.sampler->drawn}};
  for (const auto& [name, view] : stored.file.tensors) {
    json["tensors"].push_back(
        {{"name", name}, {"dtype", dtype_name(view.dtype)}, {"shape", view.shape}, {"bytes", view.nbytes()}});
  }
  return json;
}

std::string to_text(const std::string& file, const state::StoredState& stored) {
  const StateInfo& info = stored.info;
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("{:<14}{}\n", name, value);
  };
  line("state", fmt::format("{} (version {}), {}", file, info.format_version,
                            info.compressed ? fmt::format("{} compressed to {}", human_bytes(info.content_bytes),
                                                          human_bytes(info.file_bytes))
                                            : human_bytes(info.file_bytes)));
  line("tokens read", human_count(static_cast<std::int64_t>(info.token_count)));
  line("hash of ids", info.ids_hash);
  line("model", info.model_hash);
  line("tokenizer", info.tokenizer_hash);
  line("state dtype", std::string(dtype_name(info.state_dtype)));
  if (info.sampler) line("sampler", fmt::format("seed {}, {} tokens drawn", info.sampler->seed, info.sampler->drawn));
  line("aligned", info.aligned ? "yes: the bits of one prefill" : "no");
  line("computed by", info.arithmetic);
  line("written", info.created.empty() ? "" : fmt::format("{} by xlstm {}", info.created, info.program_version));
  line("checksum", info.checksum + ", as it should be");
  for (const auto& [name, view] : stored.file.tensors) {
    text += fmt::format("  {:<28} {:<9} {:<18} {}\n", name, dtype_name(view.dtype), shape_to_string(view.shape),
                        human_bytes(view.nbytes()));
  }
  return text;
}

int run(const Options& options) {
  const state::StoredState stored = state::open_state(options.file);
  print(options.json ? to_json(options.file, stored).dump() + "\n" : to_text(options.file, stored));
  flush_output();
  return 0;
}

}  // namespace

void add_state_info(CLI::App& group, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *group.add_subcommand("info", "What a state file says, and whether it is whole; no model is needed");
  add_state_file(verb, "FILE", options->file);
  verb.add_flag("--json", options->json, "Print one JSON object");
  verb.footer(
      "Examples:\n"
      "  xlstm state info manual.xst --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
