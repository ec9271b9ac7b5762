// Flags that several verbs share: which model, and how to generate.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/constraint_flags.h"
#include "xlstm/engine/engine.h"
#include "xlstm/engine/service.h"
#include "xlstm/engine/stats_socket.h"

namespace xlstm::cli {

struct ModelFlags {
  std::string model;  // empty: the embedded model
  std::string backend = "cpu";
  int num_threads = 0;
  bool batch_invariant = true;
  std::string activation_dtype;  // empty: by the weights
  std::string state_dtype;       // empty: float32, or what a state file has
  std::string chat_template;     // a file; empty: the model's own
  std::string weights = "map";
  bool check_weights = false;
};
void add_model_flag(CLI::App& verb, ModelFlags& flags);
/// --model and everything about how it runs.
void add_model_flags(CLI::App& verb, ModelFlags& flags);
/// --chat-template, of verbs that know messages.
void add_chat_template_flag(CLI::App& verb, ModelFlags& flags);
engine::LoadOptions load_options(const ModelFlags& flags);
/// Loads with a progress bar.
std::unique_ptr<engine::Engine> load_engine(const ModelFlags& flags);

/// Plain sampling makes small models ramble and greedy ones loop; this is what readers of the demo like.
inline sampling::SamplingParams default_sampling() {
  sampling::SamplingParams params;
  params.temperature = 0.8f;
  params.top_k = 40;
  return params;
}

struct GenerationFlags {
  std::int64_t max_tokens = 128, min_tokens = 0;
  std::vector<std::string> stop_strings;
  std::string stop_ids;  // as written
  bool ignore_eos = false;
  bool honor_config_eos = false;
  sampling::SamplingParams sampling = default_sampling();
  std::vector<std::string> logit_bias;  // as written
  ConstraintFlags constraint;
};
void add_generation_flags(CLI::App& verb, GenerationFlags& flags);
/// What can be wrong whatever the model. Errors: invalid_argument.
void check(const GenerationFlags& flags);
/// A request without a prompt. Errors: invalid_argument (a bias for an id or a stop id outside the vocabulary, a
/// constraint that is none), not_found (a file of one).
generation::Request make_request(const GenerationFlags& flags, const engine::Engine& engine);

/// How many requests run at once, and what their states may take.
struct ServiceFlags {
  std::size_t max_rows = 32;
  std::size_t prefill_step_size = 512;
  std::string state_memory;  // as written; empty: a quarter of what is left
  bool prefix_cache = true;
  bool exact_reuse = false;
  int prefill_workers = 0;
  int prefill_threads = 0;       // 0: half of the engine's
  std::string state_cache;       // a directory; empty: none
  std::string state_cache_size;  // as written; empty: 10 GiB
  std::string stats_socket;      // empty: none
};
void add_service_flags(CLI::App& verb, ServiceFlags& flags);
/// Errors: invalid_argument.
engine::ServiceOptions service_options(const ServiceFlags& flags);

void add_stats_flag(CLI::App& verb, std::string& path);
/// The socket of --stats-socket, or none when it is empty.
std::unique_ptr<engine::StatsSocket> open_stats_socket(const std::string& path, std::function<engine::Stats()> source);

}  // namespace xlstm::cli
