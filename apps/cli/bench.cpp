// xlstm bench: how fast a model runs here, beside what this machine can do at best.
#include "xlstm/engine/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "apps/cli/bench_report.h"
#include "apps/cli/bench_sweep.h"
#include "apps/cli/flags.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "apps/cli/verbs.h"
#include "xlstm/base/error.h"

namespace xlstm::cli {
namespace {

// Random weights, the same for every run and machine.
constexpr std::uint64_t kSeed = 0;
constexpr std::int64_t kMostTokens = 100'000'000;

struct Options {
  ModelFlags model;
  std::string synthetic;
  std::string dtype;
  std::string write;
  engine::BenchOptions bench;
  std::vector<std::string> sweep;
  std::string positions;
  std::int64_t requests = 0;
  std::int64_t long_prompt = 0;
  std::string csv;
  bool json = false;
};

void check_flags(const Options& options) {
  if (!options.synthetic.empty() && !options.model.model.empty()) {
    fail(ErrorCode::invalid_argument, "bench", "expected --model or --synthetic but got both");
  }
  if (!options.write.empty() && options.synthetic.empty()) {
    fail(ErrorCode::invalid_argument, "bench", "expected --synthetic NAME with --write but got none");
  }
  const int modes = static_cast<int>(!options.sweep.empty()) + static_cast<int>(!options.positions.empty()) +
                    static_cast<int>(options.bench.profile) + static_cast<int>(options.requests > 0);
  if (modes > 1) {
    fail(ErrorCode::invalid_argument, "bench",
         "expected one of --sweep, --positions, --requests and --profile but got several");
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

/// Rows to the file of --csv, if there is one.
class Csv {
 public:
  explicit Csv(const std::string& path) {
    if (!path.empty()) file_.emplace(path);
  }
  void add(const BenchRow& row) {
    if (file_) file_->add(row);
  }

 private:
  std::optional<CsvFile> file_;
};

engine::BenchResult measure(engine::Engine& engine, engine::BenchOptions options) {
  const InterruptScope interrupt;
  ProgressBar bar("measuring");
  options.cancel = interrupt.flag();
  options.on_progress = [&](double fraction) { bar.update(fraction); };
  return engine::run_bench(engine, options);
}

void run_once(const Options& options, engine::Engine& engine) {
  Csv csv(options.csv);
  const engine::BenchResult result = measure(engine, options.bench);
  BenchRow row = run_row(engine, options.bench, result);
  if (!options.bench.profile) {
    csv.add(row);
    return print(options.json ? row.dump() + "\n" : run_text(engine, options.bench, result));
  }
  row["profile"] = profile_rows(result);
  for (const BenchRow& op : row["profile"]) {
    BenchRow line = subject_row(engine);
    line.update(op);
    csv.add(line);
  }
  print(options.json ? row.dump() + "\n"
                     : run_text(engine, options.bench, result) + profile_text("prefill", result.prefill_profile) +
                           profile_text("decode", result.decode_profile));
}

/// A line as soon as a point is measured, so that an interrupted sweep leaves what it has.
void run_sweep(const Options& options, engine::Engine& engine, const std::vector<BenchPoint>& points) {
  Csv csv(options.csv);
  BenchRow rows = BenchRow::array();
  if (!options.json) print(sweep_head());
  for (const BenchPoint& point : points) {
    if (point.threads > 0 && point.threads != engine.backend().num_threads()) {
      engine.set_num_threads(static_cast<int>(point.threads));
    }
    engine::BenchOptions bench = options.bench;
    bench.batch = point.batch;
    bench.prompt_tokens = point.prompt;
    bench.decode_tokens = point.decode;
    rows.push_back(run_row(engine, bench, measure(engine, bench)));
    csv.add(rows.back());
    if (options.json) continue;
    print(sweep_line(rows.back()));
    flush_output();
  }
  if (options.json) print(rows.dump() + "\n");
}

void run_positions(const Options& options, engine::Engine& engine, const std::vector<std::int64_t>& positions) {
  Csv csv(options.csv);
  const InterruptScope interrupt;
  ProgressBar bar("reading");
  engine::PositionsOptions run;
  run.positions = positions;
  run.steps = std::max<std::int64_t>(options.bench.decode_tokens, 1) * options.bench.repeats;
  run.cancel = interrupt.flag();
  run.on_progress = [&](double fraction) { bar.update(fraction); };
  const std::vector<engine::PositionResult> results = engine::run_positions(engine, run);
  bar.clear();
  BenchRow rows = BenchRow::array();
  for (const engine::PositionResult& result : results) {
    rows.push_back(position_row(engine, run, result));
    csv.add(rows.back());
  }
  print(options.json ? rows.dump() + "\n" : positions_text(results));
}

void run_requests(const Options& options, std::unique_ptr<engine::Engine> engine) {
  const InterruptScope interrupt;
  BenchRow row = subject_row(*engine);
  engine::RequestsOptions bench;
  bench.requests = options.requests;
  bench.decode_tokens = options.bench.decode_tokens;
  bench.long_prompt_tokens = options.long_prompt;
  bench.repeats = options.bench.repeats;
  bench.cancel = interrupt.flag();
  engine::ServiceOptions service_options;
  service_options.scheduler.max_rows = static_cast<std::size_t>(options.requests);
  const auto service = engine::Service::start([&] { return std::move(engine); }, service_options);
  const engine::RequestsResult result = run_requests_bench(*service, bench);
  row.update(requests_row(bench, result));
  Csv(options.csv).add(row);
  print(options.json ? row.dump() + "\n" : requests_text(bench, result));
}

int run(const Options& options) {
  check_flags(options);
  const std::vector<BenchPoint> points =
      sweep_points(options.sweep, {options.bench.batch, options.bench.prompt_tokens, options.bench.decode_tokens, 0});
  std::vector<std::int64_t> positions;
  if (!options.positions.empty()) {
    positions = parse_integers(options.positions, "--positions", 1, kMostTokens);
  }
  auto engine = load(options);
  if (!options.write.empty()) {
    engine::write_checkpoint(*engine, options.write);
    say(fmt::format("wrote {}\n", options.write));
  }
  if (options.requests > 0) {
    run_requests(options, std::move(engine));
  } else if (!positions.empty()) {
    run_positions(options, *engine, positions);
  } else if (!options.sweep.empty()) {
    run_sweep(options, *engine, points);
  } else {
    run_once(options, *engine);
  }
  flush_output();
  return 0;
}

void add_measurement_flags(CLI::App& verb, engine::BenchOptions& bench) {
  const auto count = [&](const char* name, auto& value, const char* help, std::int64_t least) {
    verb.add_option(name, value, help)
        ->type_name("N")
        ->transform(integer_between(least, kMostTokens))
        ->group("Measurement")
        ->capture_default_str();
  };
  count("--prompt-tokens", bench.prompt_tokens, "Tokens of each prompt; 0: no prefill", 0);
  count("--decode-tokens", bench.decode_tokens, "Tokens decoded for each row; 0: no decoding", 0);
  count("--batch", bench.batch, "Sequences side by side", 1);
  count("--repeats", bench.repeats, "Figures are medians of so many", 1);
}

void add_mode_flags(CLI::App& verb, Options& options) {
  verb.add_option("--sweep", options.sweep, "Measure every combination of batch, prompt, decode and threads given")
      ->type_name("KEY=N,N,...")
      ->group("Measurement");
  verb.add_option("--positions", options.positions, "Time steps after so many tokens, ascending: a flat line")
      ->type_name("N,N,...")
      ->check(not_empty("positions as in 1000,1000000"))
      ->group("Measurement");
  verb.add_option("--requests", options.requests,
                  "So many requests at once through the scheduler, beside the same rows without it")
      ->type_name("N")
      ->transform(integer_between(1, 1024))
      ->group("Measurement");
  verb.add_option("--long-prompt", options.long_prompt,
                  "With --requests: also how long a request waits while another reads so many tokens")
      ->type_name("N")
      ->transform(integer_between(1, kMostTokens))
      ->group("Measurement");
  verb.add_flag("--profile", options.bench.profile, "Also where the time goes, operation by operation")
      ->group("Measurement");
  verb.add_option("--csv", options.csv, "Also write the rows to a file; bench/plot.py draws them")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Measurement");
  verb.add_flag("--json", options.json, "Print JSON: an object, or an array of rows for a sweep or positions")
      ->group("Measurement");
}

}  // namespace

void add_bench(CLI::App& program, Action& action) {
  const auto options = std::make_shared<Options>();
  CLI::App& verb = *program.add_subcommand("bench", "Speed of a model beside the machine's own limits");
  add_measurement_flags(verb, options->bench);
  add_mode_flags(verb, *options);
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
      "  xlstm bench --model /tmp/1.3b --profile\n"
      "  xlstm bench --sweep batch=1,2,4,8 --sweep prompt=128,256 --csv sweep.csv\n"
      "  xlstm bench --positions 1000,10000,100000,1000000\n"
      "  xlstm bench --synthetic step64 --prompt-tokens 0 --decode-tokens 1000");
  verb.final_callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace xlstm::cli
