// What the scheduler costs: requests through the service beside the same rows straight through the backend, and how
// long a running request waits while another reads a long prompt. The measurement behind `xlstm bench --requests`.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/engine/bench.h"
#include "xlstm/engine/service.h"

namespace xlstm::engine {

struct RequestsOptions {
  std::int64_t requests = 16;           // at once, and rows of the batch beside them
  std::int64_t prompt_tokens = 16;      // of each
  std::int64_t decode_tokens = 64;      // of each
  std::int64_t long_prompt_tokens = 0;  // of one more request, read while another decodes; 0: not measured
  int repeats = 3;
  const std::atomic<bool>* cancel = nullptr;  // checked between measurements: throws cancelled
};

struct RequestsResult {
  Figure batch_tokens_per_second;        // of run_bench with as many rows
  Figure requests_tokens_per_second;     // while all of them decode
  double ratio = 0;                      // median over the repeats, which go in turn
  double step_seconds = 0;               // median time between two tokens of a lone request
  double piece_seconds = 0;              // median time of a piece of the long prompt
  double longest_gap_seconds = 0;        // between two tokens of the running request meanwhile,
  double longest_gap_piece_seconds = 0;  // and of that the piece
  std::size_t pieces = 0;
};

/// Greedy and without eos. Errors: those of run_bench and Service::submit.
RequestsResult run_requests_bench(Service& service, const RequestsOptions& options);

}  // namespace xlstm::engine
