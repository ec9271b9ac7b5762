// xlstm info: what a checkpoint is, what it needs, and what it would run on. Reads no weights unless --weights copy
// asks for it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/flags.h"
#include "apps/cli/machine_info.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "apps/cli/version.h"
#include "apps/cli/weights.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

struct Options {
  ModelFlags model;
  bool json = false;
};

/// Of the weights, in another form than the stored one: by the model and by the backend.
std::size_t repacked_bytes(engine::Engine& engine) {
  return engine.model().repacked_bytes + engine.backend().repacked_bytes();
}

/// Weights, one state, and the logits of one position: less cannot run.
std::size_t memory_needed(engine::Engine& engine) {
  const model::Model& model = engine.model();
  return model.weight_bytes + repacked_bytes(engine) + engine.state_nbytes() +
         static_cast<std::size_t>(model.config.vocab_size) * sizeof(float);
}

ordered_json describe_blocks(const config::ModelConfig& config) {
  ordered_json kinds = ordered_json::array();
  for (const config::BlockKind kind : config.blocks) kinds.push_back(config::block_kind_name(kind));
  return kinds;
}

ordered_json describe_model(engine::Engine& engine) {
  const model::Model& model = engine.model();
  const config::ModelConfig& config = model.config;
  return {{"source", engine.source()},
          {"layout", config.layout},
          {"architecture", config::architecture_name(config.architecture)},
          {"parameters", model.num_parameters},
          {"dtype", model.weight_kinds.front().name()},
          {"weights", describe_weights(model.weight_kinds)},
          {"vocab_size", config.vocab_size},
          {"embedding_dim", config.embedding_dim},
          {"num_blocks", config.num_blocks},
          {"blocks", describe_blocks(config)},
          {"num_heads", config.num_heads},
          {"qk_head_dim", config.qk_head_dim()},
          {"v_head_dim", config.v_head_dim()},
          {"ffn_dim", config.architecture == config::Architecture::large ? config.ffn_dim : config.slstm_ffn_dim},
          {"tie_weights", config.tie_weights},
          {"weight_bytes", model.weight_bytes},
          {"mapped_bytes", model.mapped_bytes},
          {"copied_bytes", model.copied_bytes},
          {"repacked_bytes", repacked_bytes(engine)},
          {"huge_page_bytes", engine::huge_page_bytes()},
          {"state_dtype", dtype_name(engine.backend().state_dtype())},
          {"state_bytes_per_sequence", engine.state_nbytes()},
          {"memory_needed_bytes", memory_needed(engine)}};
}

ordered_json describe_text(const engine::Engine& engine) {
  const config::ModelConfig& config = engine.model().config;
  const tokenizer::Tokenizer& tokenizer = engine.tokenizer();
  return {{"kind", tokenizer.kind()},
          {"vocab_size", tokenizer.vocab_size()},
          {"fingerprint", tokenizer.fingerprint()},
          {"bos_token_id", config.bos_token_id ? ordered_json(*config.bos_token_id) : ordered_json()},
          {"stop_ids", engine.stop_ids()},
          {"config_eos_token_ids", engine.config_stop_ids()}};
}

ordered_json describe_runtime(engine::Engine& engine, int threads_asked) {
  const engine::Machine machine = engine::describe_machine();
  ordered_json runtime = {{"backend", engine.backend().name()},
                          {"backends", backend::backend_names()},
                          {"activation_dtype", engine.backend().activation_dtype()},
                          {"batch_invariant", engine.backend().batch_invariant()}};
  runtime.update(describe_machine(machine, engine.backend().num_threads(), threads_asked));
  runtime.update({{"mlx_version", machine.mlx_version.empty() ? ordered_json() : ordered_json(machine.mlx_version)},
                  {"version", version()},
                  {"commit", commit()}});
  return runtime;
}

std::string text_of(const ordered_json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// "6 (4 mlstm, 2 slstm)".
std::string block_summary(const config::ModelConfig& config) {
  const auto slstm = std::count(config.blocks.begin(), config.blocks.end(), config::BlockKind::slstm);
  return fmt::format("{} ({} mLSTM, {} sLSTM)", config.num_blocks, config.num_blocks - slstm, slstm);
}

std::string model_lines(const ordered_json& info, const model::Model& model) {
  const config::ModelConfig& config = model.config;
  const auto bytes = [&](const char* key) { return human_bytes(info[key].get<std::size_t>()); };
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<14}{}\n", name, value); };
  line("model", text_of(info["source"]));
  line("layout", fmt::format("{} ({})", text_of(info["layout"]), text_of(info["architecture"])));
  line("parameters", fmt::format("{}, {}", human_count(model.num_parameters), weight_summary(model.weight_kinds)));
  line("blocks", block_summary(config));
  line("sizes", fmt::format("width {}, {} heads of {} (key) and {} (value), ffn {}, vocabulary {}",
                            config.embedding_dim, config.num_heads, config.qk_head_dim(), config.v_head_dim(),
                            text_of(info["ffn_dim"]), config.vocab_size));
  line("weights", fmt::format("{} (mapped {}, copied {}, repacked {})", bytes("weight_bytes"), bytes("mapped_bytes"),
                              bytes("copied_bytes"), bytes("repacked_bytes")));
  line("huge pages", fmt::format("{} of this process's memory", bytes("huge_page_bytes")));
  line("state", fmt::format("{} a sequence, whatever its length ({})", bytes("state_bytes_per_sequence"),
                            text_of(info["state_dtype"])));
  line("memory needed", bytes("memory_needed_bytes"));
  return text;
}

std::string runtime_lines(const ordered_json& text_info, const ordered_json& runtime) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<14}{}\n", name, value); };
  line("tokenizer",
       fmt::format("{}, {} ids, BOS {}, stops at {}", text_of(text_info["kind"]), text_of(text_info["vocab_size"]),
                   text_info["bos_token_id"].is_null() ? "none" : text_of(text_info["bos_token_id"]),
                   text_info["stop_ids"].empty() ? "nothing" : text_of(text_info["stop_ids"])));
  line("activations", text_of(runtime["activation_dtype"]));
  line("backend",
       fmt::format("{} (this build has {})", text_of(runtime["backend"]), fmt::join(backend::backend_names(), ", ")));
  text += machine_lines(runtime);
  line("mlx", runtime["mlx_version"].is_null() ? "not built" : text_of(runtime["mlx_version"]));
  line("xlstm", fmt::format("{} (commit {})", text_of(runtime["version"]), text_of(runtime["commit"])));
  return text;
}

int run(const Options& options) {
  const auto engine = load_engine(options.model);
  ordered_json info = describe_model(*engine);
  const ordered_json text = describe_text(*engine), runtime = describe_runtime(*engine, options.model.num_threads);
  if (options.json) {
    info["tokenizer"] = text;
    info.update(runtime);
    print(info.dump() + "\n");
  } else {
    print(model_lines(info, engine->model()) + runtime_lines(text, runtime));
  }
  flush_output();
  return 0;
}

}  // namespace

void add_info(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("info", "What a model is, what it needs, and what it would run on");
  verb.add_flag("--json", options->json, "Print one JSON object");
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm info\n"
      "  xlstm info --model DIR --json");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
