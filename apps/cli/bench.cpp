// xlstm bench: how fast a model runs here, beside what this machine can do at best.
#include "xlstm/engine/bench.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/units.h"
#include "apps/cli/verbs.h"
#include "apps/cli/version.h"
#include "xlstm/base/error.h"
#include "xlstm/engine/machine.h"

namespace xlstm::cli {
namespace {

using nlohmann::ordered_json;

// Random weights, the same for every run and machine.
constexpr std::uint64_t kSeed = 0;

struct Options {
  ModelFlags model;
  std::string synthetic;
  std::string dtype;
  std::string write;
  engine::BenchOptions bench;
  bool json = false;
};

void check_flags(const Options& options) {
  if (!options.synthetic.empty() && !options.model.model.empty()) {
    fail(ErrorCode::invalid_argument, "bench", "expected --model or --synthetic but got both");
  }
  if (!options.write.empty() && options.synthetic.empty()) {
    fail(ErrorCode::invalid_argument, "bench", "expected --synthetic NAME with --write but got none");
  }
}

/// A checkpoint keeps the dtype it was written in: --dtype may only confirm it.
std::unique_ptr<engine::Engine> load(const Options& options) {
  if (options.synthetic.empty()) {
    auto engine = load_engine(options.model);
    const std::string stored = engine->model().weight_kinds.front().name();
    if (!options.dtype.empty() && options.dtype != stored) {
      fail(ErrorCode::unsupported, "--dtype", "expected ", stored, ", the dtype of this checkpoint, but got ",
           options.dtype);
    }
    return engine;
  }
  ProgressBar bar("making random weights");
  engine::LoadOptions load = load_options(options.model);
  load.on_progress = [&](double fraction) { bar.update(fraction); };
  const auto format = model::synthetic_format(options.dtype.empty() ? "bfloat16" : options.dtype);
  return engine::Engine::synthetic(options.synthetic, format, kSeed, load);
}

ordered_json to_json(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result) {
  const engine::Machine machine = engine::describe_machine();
  return {{"model", engine.source()},
          {"parameters", engine.model().num_parameters},
          {"dtype", engine.model().weight_kinds.front().name()},
          {"backend", engine.backend().name()},
          {"threads", engine.backend().num_threads()},
          {"cpu_target", machine.cpu_target},
          {"mlx_version", machine.mlx_version.empty() ? ordered_json() : ordered_json(machine.mlx_version)},
          {"version", version()},
          {"commit", commit()},
          {"prompt_tokens", options.prompt_tokens},
          {"decode_tokens", options.decode_tokens},
          {"batch", options.batch},
          {"repeats", options.repeats},
          {"prefill_tokens_per_second", result.prefill_tokens_per_second},
          {"decode_tokens_per_second", result.decode_tokens_per_second},
          {"time_to_first_token_seconds", result.time_to_first_token_seconds},
          {"peak_rss_bytes", result.peak_rss_bytes},
          {"weight_bytes", result.weight_bytes},
          {"state_bytes_per_sequence", result.state_bytes_per_sequence},
          {"read_bandwidth_bytes_per_second", result.read_bandwidth_bytes_per_second},
          {"read_bandwidth_median_bytes_per_second", result.read_bandwidth_median_bytes_per_second},
          {"float32_flops_per_second", result.float32_flops_per_second},
          {"float32_flops_median_per_second", result.float32_flops_median_per_second},
          {"decode_step_bytes", result.decode_step_bytes},
          {"decode_bandwidth_fraction", result.decode_bandwidth_fraction},
          {"prefill_flops", result.prefill_flops},
          {"prefill_flops_fraction", result.prefill_flops_fraction}};
}

std::string to_text(engine::Engine& engine, const engine::BenchOptions& options, const engine::BenchResult& result) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += fmt::format("{:<12}{}\n", name, value); };
  line("model", fmt::format("{}, {} parameters, {}", engine.source(), human_count(engine.model().num_parameters),
                            engine.model().weight_kinds.front().name()));
  line("run", fmt::format("backend {}, {} threads, {}, batch {}, median of {}", engine.backend().name(),
                          engine.backend().num_threads(), engine::describe_machine().cpu_target, options.batch,
                          options.repeats));
  line("prefill", fmt::format("{} ({} tokens; first token after {:.3f} s; {:.2f} of the FMA peak)",
                              human_rate(result.prefill_tokens_per_second), options.prompt_tokens,
                              result.time_to_first_token_seconds, result.prefill_flops_fraction));
  line("decode", fmt::format("{} ({} tokens; {:.1f} MB a step; {:.2f} of the read bandwidth)",
                             human_rate(result.decode_tokens_per_second), options.decode_tokens,
                             result.decode_step_bytes / 1e6, result.decode_bandwidth_fraction));
  line("memory", fmt::format("peak {}, weights {}, state {} a sequence", human_bytes(result.peak_rss_bytes),
                             human_bytes(result.weight_bytes), human_bytes(result.state_bytes_per_sequence)));
  line("machine",
       fmt::format("reads {:.1f} GB/s, {:.1f} GFLOP/s float32 (best of the run; medians {:.1f} and {:.1f})",
                   result.read_bandwidth_bytes_per_second / 1e9, result.float32_flops_per_second / 1e9,
                   result.read_bandwidth_median_bytes_per_second / 1e9, result.float32_flops_median_per_second / 1e9));
  return text;
}

int run(Options options) {
  check_flags(options);
  const auto engine = load(options);
  if (!options.write.empty()) {
    engine::write_checkpoint(*engine, options.write);
    say(fmt::format("wrote {}\n", options.write));
  }
  const InterruptScope interrupt;
  ProgressBar bar("measuring");
  options.bench.cancel = interrupt.flag();
  options.bench.on_progress = [&](double fraction) { bar.update(fraction); };
  const engine::BenchResult result = engine::run_bench(*engine, options.bench);
  bar.clear();
  print(options.json ? to_json(*engine, options.bench, result).dump() + "\n" : to_text(*engine, options.bench, result));
  flush_output();
  return 0;
}

void add_measurement_flags(CLI::App& verb, engine::BenchOptions& bench) {
  const auto count = [&](const char* name, auto& value, const char* help, std::int64_t least) {
    verb.add_option(name, value, help)
        ->type_name("N")
        ->transform(integer_between(least, 100'000'000))
        ->group("Measurement")
        ->capture_default_str();
  };
  count("--prompt-tokens", bench.prompt_tokens, "Tokens of each prompt; 0: no prefill", 0);
  count("--decode-tokens", bench.decode_tokens, "Tokens decoded for each row; 0: no decoding", 0);
  count("--batch", bench.batch, "Sequences side by side", 1);
  count("--repeats", bench.repeats, "Figures are medians of so many", 1);
}

}  // namespace

void add_bench(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("bench", "Speed of a model beside the machine's own limits");
  add_measurement_flags(verb, options->bench);
  verb.add_flag("--json", options->json, "Print one JSON object")->group("Measurement");
  const std::vector<std::string> names = engine::synthetic_names();
  verb.add_option("--synthetic", options->synthetic, "Random weights of a published shape instead of a model")
      ->type_name(fmt::format("{}", fmt::join(names, "|")))
      ->check(one_of(names))
      ->group("Weights");
  const std::vector<std::string> formats = model::synthetic_format_names();
  verb.add_option(
          "--dtype", options->dtype,
          "Of the random weights (bfloat16 if not given); int8 and int4: groups of 64, gates and scales bfloat16")
      ->type_name(fmt::format("{}", fmt::join(formats, "|")))
      ->check(one_of(formats))
      ->group("Weights");
  verb.add_option("--write", options->write, "Also write the random weights as a checkpoint, for --model")
      ->type_name("DIR")
      ->check(not_empty("a name"))
      ->group("Weights");
  add_model_flags(verb, options->model);
  verb.footer(
      "Examples:\n"
      "  xlstm bench --prompt-tokens 1024 --decode-tokens 64\n"
      "  xlstm bench --synthetic 1.3b --dtype bfloat16 --write /tmp/1.3b --json\n"
      "  xlstm bench --synthetic 7b --dtype int4\n"
      "  xlstm bench --model /tmp/1.3b --batch 4");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
