#include "apps/cli/flags.h"

#include <fmt/format.h>

#include <chrono>

#include "apps/cli/numbers.h"
#include "apps/cli/progress_bar.h"
#include "apps/cli/standard_output.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"

namespace xlstm::cli {
namespace {

constexpr int kMostThreads = 4096;

void add_sampling_flags(CLI::App& verb, sampling::SamplingParams& params) {
  const auto number = [&](const char* name, float& value, const char* help, const NumberRange& range) {
    verb.add_option(name, value, help)
        ->type_name("X")
        ->transform(number_in(range))
        ->group("Sampling")
        ->capture_default_str();
  };
  const auto integer = [&](const char* name, auto& value, const char* help, const CLI::Validator& range) {
    verb.add_option(name, value, help)->type_name("N")->transform(range)->group("Sampling")->capture_default_str();
  };
  number("--temperature", params.temperature, "0: always the most probable token", {.least = 0});
  integer("--top-k", params.top_k, "Only the K most probable tokens; 0: all", integer_between(0));
  number("--top-p", params.top_p, "Only the most probable tokens that make up P; 1: all",
         {.least = 0, .most = 1, .open = true});
  number("--min-p", params.min_p, "Only tokens at least P times as probable as the best", {.least = 0, .most = 1});
  number("--repetition-penalty", params.repetition_penalty, "Above 1: seen tokens become less probable",
         {.least = 0, .open = true});
  number("--frequency-penalty", params.frequency_penalty, "Taken from a token's logit each time it was seen", {});
  number("--presence-penalty", params.presence_penalty, "Taken once from the logit of every token seen", {});
  integer("--penalty-window", params.penalty_window, "Tokens the penalties look back at; -1: all", integer_between(-1));
  integer("--seed", params.seed, "The same seed gives the same text", unsigned_integer());
}

}  // namespace

void add_model_flag(CLI::App& verb, ModelFlags& flags) {
  verb.add_option("-m,--model", flags.model, "Directory of a checkpoint; without it the embedded model")
      ->type_name("DIR")
      ->check(not_empty("a name"))
      ->group("Model");
}

void add_model_flags(CLI::App& verb, ModelFlags& flags) {
  add_model_flag(verb, flags);
  const std::vector<std::string> backends = backend::backend_names();
  verb.add_option("--backend", flags.backend, "What runs the model")
      ->type_name(backends.size() > 1 ? fmt::format("{}", fmt::join(backends, "|")) : "NAME")
      ->check(not_empty("a name"))
      ->group("Model")
      ->capture_default_str();
  verb.add_option("--threads", flags.num_threads, "Threads; 0: one for each core this process may use")
      ->type_name("N")
      ->transform(integer_between(0, kMostThreads))
      ->group("Model")
      ->capture_default_str();
  verb.add_option("--activation-dtype", flags.activation_dtype,
                  "What activations are rounded to before products; without it float32 for float, int16 for int8 and "
                  "int8 for int4 weights")
      ->type_name("float32|bfloat16|int16|int8")
      ->check(one_of({"float32", "bfloat16", "int16", "int8"}))
      ->group("Model");
  verb.add_option("--state-dtype", flags.state_dtype,
                  "What C of mLSTM layers is kept in between tokens; without it float32, or what the state file has")
      ->type_name("float32|bfloat16")
      ->check(one_of({"float32", "bfloat16"}))
      ->group("Model");
  verb.add_flag_callback(
          "--no-batch-invariant", [&flags] { flags.batch_invariant = false; },
          "Faster decoding of large batches, in which a sequence's bits depend on the size of the batch (backend cpu)")
      ->group("Model");
  verb.add_option("--weights", flags.weights,
                  "Use them where they lie in the mapped file, or copy them into memory of huge pages first")
      ->type_name("map|copy")
      ->check(one_of({"map", "copy"}))
      ->group("Model")
      ->capture_default_str();
  verb.add_flag("--check-weights", flags.check_weights, "Read every weight first and refuse NaN and infinity")
      ->group("Model");
}

void add_chat_template_flag(CLI::App& verb, ModelFlags& flags) {
  verb.add_option("--chat-template", flags.chat_template, "A Jinja file in place of the model's own chat template")
      ->type_name("FILE")
      ->check(not_empty("a name"))
      ->group("Model");
}

engine::LoadOptions load_options(const ModelFlags& flags) {
  engine::LoadOptions options;
  options.model = flags.model;
  options.backend = flags.backend;
  options.num_threads = flags.num_threads;
  if (!flags.activation_dtype.empty()) options.activation_dtype = dtype_from_name(flags.activation_dtype);
  options.batch_invariant = flags.batch_invariant;
  if (!flags.state_dtype.empty()) options.state_dtype = dtype_from_name(flags.state_dtype);
  if (!flags.chat_template.empty()) options.chat_template = read_text(flags.chat_template);
  options.copy_weights = flags.weights == "copy";
  options.check_weights = flags.check_weights;
  return options;
}

std::unique_ptr<engine::Engine> load_engine(const ModelFlags& flags) {
  ProgressBar bar("loading");
  engine::LoadOptions options = load_options(flags);
  options.on_progress = [&](double fraction) { bar.update(fraction); };
  const auto start = std::chrono::steady_clock::now();
  auto engine = engine::Engine::load(options);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const model::Model& model = engine->model();
  log(LogLevel::info,
      fmt::format("loaded {} in {:.3f} s: {} parameters, {}, backend {}, {} threads, activations {}, state {}",
                  engine->source(), seconds, model.num_parameters, model.weight_kinds.front().name(),
                  engine->backend().name(), engine->backend().num_threads(), engine->backend().activation_dtype(),
                  dtype_name(engine->backend().state_dtype())));
  return engine;
}

void add_generation_flags(CLI::App& verb, GenerationFlags& flags) {
  verb.add_option("-n,--max-tokens", flags.max_tokens, "Tokens to generate at most; -1: no limit")
      ->type_name("N")
      ->transform(integer_between(-1))
      ->group("Length")
      ->capture_default_str();
  verb.add_option("--min-tokens", flags.min_tokens, "No end of the text before so many")
      ->type_name("N")
      ->transform(integer_between(0))
      ->group("Length")
      ->capture_default_str();
  verb.add_option("--stop", flags.stop_strings, "End before this text; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->check(not_empty("a text"))
      ->group("Length");
  verb.add_option("--stop-ids", flags.stop_ids, "End at these token ids too, as in 17,4")
      ->type_name("IDS")
      ->check(not_empty("ids"))
      ->group("Length");
  CLI::Option* ignore =
      verb.add_flag("--ignore-eos", flags.ignore_eos, "Go on after an end-of-text token")->group("Length");
  verb.add_flag("--honor-config-eos", flags.honor_config_eos,
                "End also at the eos ids of config.json (published xLSTM files name \"!\" there)")
      ->group("Length")
      ->excludes(ignore);
  add_sampling_flags(verb, flags.sampling);
  verb.add_option("--logit-bias", flags.logit_bias,
                  "Added to the logit of an id, -inf bans it; may be given several times")
      ->type_name("ID=X")
      ->allow_extra_args(false)
      ->group("Sampling");
  add_constraint_flags(verb, flags.constraint);
}

void add_service_flags(CLI::App& verb, ServiceFlags& flags) {
  verb.add_option("--max-rows", flags.max_rows, "Sequences that decode at once")
      ->type_name("N")
      ->transform(integer_between(1, 1024))
      ->group("Requests")
      ->capture_default_str();
  verb.add_option("--prefill-step-size", flags.prefill_step_size, "Tokens of prompts read between two decode steps")
      ->type_name("N")
      ->transform(integer_between(1, 1 << 20))
      ->group("Requests")
      ->capture_default_str();
  verb.add_option("--state-memory", flags.state_memory,
                  "Bytes of all states, cached ones included, as 2GB; without it a quarter of the free memory")
      ->type_name("SIZE")
      ->check(not_empty("a size"))
      ->group("Requests");
  verb.add_flag_callback(
          "--no-prefix-cache", [&flags] { flags.prefix_cache = false; }, "Read every prompt from its beginning")
      ->group("Requests");
  verb.add_flag("--exact-reuse", flags.exact_reuse,
                "Start only from states that give the bits of a run without cache: the same text at any load")
      ->group("Requests");
  verb.add_option("--prefill-workers", flags.prefill_workers,
                  "Engines of their own that read long prompts (1024 tokens and more) beside decoding")
      ->type_name("N")
      ->transform(integer_between(0, 64))
      ->group("Requests")
      ->capture_default_str();
  verb.add_option("--prefill-threads", flags.prefill_threads, "Threads of each of these; 0: half of --threads")
      ->type_name("N")
      ->transform(integer_between(0, kMostThreads))
      ->group("Requests")
      ->capture_default_str();
  CLI::Option* directory =
      verb.add_option("--state-cache", flags.state_cache,
                      "Keep states here that do not fit in memory, and find them again, in later runs too")
          ->type_name("DIR")
          ->check(not_empty("a directory"))
          ->group("Requests");
  verb.add_option("--state-cache-size", flags.state_cache_size,
                  "Bytes that --state-cache may take, as 50GB; without it 10 GiB")
      ->type_name("SIZE")
      ->check(not_empty("a size"))
      ->needs(directory)
      ->group("Requests");
  add_stats_flag(verb, flags.stats_socket);
}

void add_stats_flag(CLI::App& verb, std::string& path) {
  verb.add_option("--stats-socket", path, "A Unix socket to be made there, for xlstm top: a line of JSON a second")
      ->type_name("PATH")
      ->check(not_empty("a path"))
      ->group("Requests");
}

std::unique_ptr<engine::StatsSocket> open_stats_socket(const std::string& path, std::function<engine::Stats()> source) {
  return path.empty() ? nullptr : std::make_unique<engine::StatsSocket>(path, std::move(source));
}

engine::ServiceOptions service_options(const ServiceFlags& flags) {
  engine::ServiceOptions options;
  options.scheduler.max_rows = flags.max_rows;
  options.scheduler.prefill_step_size = flags.prefill_step_size;
  if (!flags.state_memory.empty())
    options.scheduler.max_state_bytes = parse_bytes(flags.state_memory, "--state-memory");
  options.prefix_cache = flags.prefix_cache;
  options.prefill_workers = flags.prefill_workers;
  options.prefill_threads = flags.prefill_threads;
  options.state_cache = flags.state_cache;
  if (!flags.state_cache_size.empty())
    options.state_cache_bytes = parse_bytes(flags.state_cache_size, "--state-cache-size");
  return options;
}

void check(const GenerationFlags& flags) {
  for (const std::string& bias : flags.logit_bias) parse_logit_bias(bias);
  if (!flags.stop_ids.empty()) parse_token_ids(flags.stop_ids, "--stop-ids");
  if (flags.max_tokens >= 0 && flags.min_tokens > flags.max_tokens) {
    fail(ErrorCode::invalid_argument, "--min-tokens", "expected at most the ", flags.max_tokens,
         " of --max-tokens but got ", flags.min_tokens);
  }
}

generation::Request make_request(const GenerationFlags& flags, const engine::Engine& engine) {
  generation::Request request;
  request.max_tokens = flags.max_tokens;
  request.min_tokens = flags.min_tokens;
  request.stop_strings = flags.stop_strings;
  request.sampling = flags.sampling;
  const std::int64_t vocab = engine.model().config.vocab_size;
  const auto known = [&](TokenId id, const char* flag) {
    if (id >= vocab) fail(ErrorCode::invalid_argument, flag, "expected an id below ", vocab, " but got ", id);
  };
  for (const std::string& text : flags.logit_bias) {
    request.sampling.logit_bias.push_back(parse_logit_bias(text));
    known(request.sampling.logit_bias.back().first, "--logit-bias");
  }
  if (const auto constraint = read_constraint(flags.constraint)) request.constraint = engine.constraint(*constraint);
  if (!flags.ignore_eos) request.stop_ids = engine.stop_ids();
  if (flags.honor_config_eos) {
    const std::vector<TokenId> more = engine.config_stop_ids();
    request.stop_ids.insert(request.stop_ids.end(), more.begin(), more.end());
  }
  if (!flags.stop_ids.empty()) {
    for (const TokenId id : parse_token_ids(flags.stop_ids, "--stop-ids")) {
      known(id, "--stop-ids");
      request.stop_ids.push_back(id);
    }
  }
  return request;
}

}  // namespace xlstm::cli
