// How fast a model runs here, beside what this machine can do at best: the measurement behind `xlstm bench`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "xlstm/engine/bench_profile.h"
#include "xlstm/engine/engine.h"

namespace xlstm::engine {

struct BenchOptions {
  std::int64_t prompt_tokens = 512;  // of each row; 0: prefill is not measured
  std::int64_t decode_tokens = 32;   // of each row; 0: decoding is not measured
  std::int64_t batch = 1;            // rows (sequences) in one call
  int repeats = 5;
  bool profile = false;  // also the time of every operation
  std::function<void(double fraction)> on_progress;
  const std::atomic<bool>* cancel = nullptr;  // checked between calls: throws cancelled
};

/// Over the repeats.
struct Figure {
  double median = 0;
  double best = 0;
};

/// A figure that was not measured is 0. Each measurement has a probe before and after it, and fractions are of the
/// larger of the two: the machine's ceilings move with its neighbours.
struct BenchResult {
  Figure prefill_tokens_per_second;
  Figure decode_tokens_per_second;
  double time_to_first_token_seconds = 0;  // median; prefill of all rows and the choice of their first tokens
  double decode_step_best_seconds = 0;     // of all single steps
  std::size_t peak_rss_bytes = 0;          // without the probes' buffer
  std::size_t weight_bytes = 0;
  std::size_t state_bytes_per_sequence = 0;

  Figure read_bandwidth_bytes_per_second;
  Figure float32_flops_per_second;

  double decode_step_bytes = 0;             // model::decode_step_bytes
  Figure decode_bandwidth_fraction;         // decode_step_bytes a second / read bandwidth
  double prefill_flops = 0;                 // model::prefill_flops of all rows
  Figure prefill_flops_fraction;            // prefill_flops a second / float32 FLOP a second
  std::vector<ProfileRow> prefill_profile;  // with BenchOptions::profile
  std::vector<ProfileRow> decode_profile;
};

/// Prompts are random ids, the same on every machine; decoding is greedy. Everything timed ends with logits on the
/// host; warm-up and the copying of states are outside the clock. Errors: invalid_argument (a negative count, batch or
/// repeats below 1), unsupported (a profile of a backend that has none), cancelled, overloaded (no memory).
BenchResult run_bench(Engine& engine, const BenchOptions& options);

/// Writes the engine's weights as a Hugging Face checkpoint that `load` can map. Errors: those of
/// model::write_huggingface.
void write_checkpoint(const Engine& engine, const std::filesystem::path& directory);

/// Names that Engine::synthetic takes.
std::vector<std::string> synthetic_names();

}  // namespace xlstm::engine
