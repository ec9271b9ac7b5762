// How fast a model runs here, beside what this machine can do at best: the measurement behind `xlstm bench`.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::engine {

struct BenchOptions {
  std::int64_t prompt_tokens = 512;  // of each row; 0: prefill is not measured
  std::int64_t decode_tokens = 32;   // of each row; 0: decoding is not measured
  std::int64_t batch = 1;            // rows (sequences) in one call
  int repeats = 5;
  std::function<void(double fraction)> on_progress;
  const std::atomic<bool>* cancel = nullptr;  // checked between calls: throws cancelled
};

/// Figures of the model are medians of the repeats and count the tokens of all rows. A figure that was not measured is
/// 0. The machine's ceilings are the best of the run; each measurement has a probe before and after it.
struct BenchResult {
  double prefill_tokens_per_second = 0;
  double decode_tokens_per_second = 0;
  double time_to_first_token_seconds = 0;  // prefill of all rows and the choice of their first tokens
  std::size_t peak_rss_bytes = 0;          // without the probes' buffer
  std::size_t weight_bytes = 0;
  std::size_t state_bytes_per_sequence = 0;

  double read_bandwidth_bytes_per_second = 0;
  double read_bandwidth_median_bytes_per_second = 0;
  double float32_flops_per_second = 0;
  double float32_flops_median_per_second = 0;

  double decode_step_bytes = 0;          // see decode_step_bytes()
  double decode_bandwidth_fraction = 0;  // decode_step_bytes a second / read bandwidth
  double prefill_flops = 0;              // see prefill_flops()
  double prefill_flops_fraction = 0;     // prefill_flops a second / float32 FLOP a second
};

/// Prompts are random ids, the same on every machine; decoding is greedy. Everything timed ends with logits on the
/// host; warm-up and the copying of states are outside the clock. Errors: invalid_argument (a negative count, batch or
/// repeats below 1), cancelled, overloaded (no memory).
BenchResult run_bench(Engine& engine, const BenchOptions& options);

/// Bytes that one decode step of `batch` rows must move: every weight but the embedding read once, and for each row one
/// row of the embedding read, the state read and the state written.
double decode_step_bytes(const model::Model& model, std::int64_t batch, DType state_dtype = DType::float32);

/// Floating-point operations that the prefill of one row of `tokens` executes: 2 a weight and token without the head,
/// the head once, mLSTM cells by reference section 2.4 with phi = 1/2 and chunks as the CPU kernel makes them.
double prefill_flops(const model::Model& model, std::int64_t tokens);

/// Writes the engine's weights as a Hugging Face checkpoint that `load` can map. Errors: those of
/// model::write_huggingface.
void write_checkpoint(const Engine& engine, const std::filesystem::path& directory);

/// Names that Engine::synthetic takes.
std::vector<std::string> synthetic_names();

}  // namespace xlstm::engine
