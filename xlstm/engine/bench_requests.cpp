#include "xlstm/engine/bench_requests.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/engine/statistics.h"

namespace xlstm::engine {
namespace {

using Clock = std::chrono::steady_clock;
using Times = std::vector<Clock::time_point>;

double seconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

void check_cancel(const RequestsOptions& options) {
  if (options.cancel != nullptr && *options.cancel) fail(ErrorCode::cancelled, "bench", "stopped");
}

Submission greedy(const Service& service, std::uint64_t number, std::int64_t prompt_tokens, std::int64_t max_tokens) {
  Submission made;
  const auto vocab = static_cast<double>(service.model().config.vocab_size);
  for (std::int64_t i = 0; i < prompt_tokens; ++i) {
    made.request.prompt.push_back(static_cast<TokenId>(uniform(RngKey{number, static_cast<std::uint64_t>(i)}) * vocab));
  }
  made.request.sampling.temperature = 0;
  made.request.max_tokens = max_tokens;
  made.use_cache = false;
  return made;
}

double batch_rate(Service& service, const RequestsOptions& options) {
  BenchOptions bench;
  bench.prompt_tokens = 0;
  bench.decode_tokens = options.decode_tokens;
  bench.batch = options.requests;
  bench.repeats = 1;
  bench.cancel = options.cancel;
  return service.call([&](Engine& engine, scheduler::Scheduler&) { return run_bench(engine, bench); })
      .get()
      .decode_tokens_per_second.median;
}

/// Tokens a second from when the last request has its first token until the first has its last.
double requests_rate(Service& service, const RequestsOptions& options) {
  const auto count = static_cast<std::size_t>(options.requests);
  std::vector<Times> times(count);
  std::vector<std::future<Outcome>> runs;
  for (std::size_t i = 0; i < count; ++i) {
    // Those that begin first wait for the last: so many tokens more that all decode together for decode_tokens.
    Submission made = greedy(service, i, options.prompt_tokens, options.decode_tokens + options.requests);
    made.listener.on_token = [&mine = times[i]](std::size_t, const generation::Token&) {
      mine.push_back(Clock::now());
    };
    runs.push_back(service.run(std::move(made)));
  }
  for (auto& run : runs) run.get();
  Clock::time_point begin = times[0].front(), end = times[0].back();
  for (const Times& mine : times) {
    begin = std::max(begin, mine.front());
    end = std::min(end, mine.back());
  }
  std::size_t tokens = 0;
  for (const Times& mine : times) {
    tokens += static_cast<std::size_t>(
        std::count_if(mine.begin(), mine.end(), [&](Clock::time_point at) { return at > begin && at <= end; }));
  }
  return ratio(static_cast<double>(tokens), seconds(begin, end));
}

void measure_gap(Service& service, const RequestsOptions& options, RequestsResult& result) {
  constexpr std::size_t kAlone = 32;  // tokens
  Times tokens, pieces;
  std::promise<void> alone;
  Submission running = greedy(service, 1, options.prompt_tokens, -1);
  running.listener.on_token = [&](std::size_t, const generation::Token&) {
    tokens.push_back(Clock::now());
    if (tokens.size() == kAlone) alone.set_value();
  };
  std::promise<void> stopped;
  running.listener.on_end = [&](const Outcome&) { stopped.set_value(); };
  const RequestId id = service.submit(std::move(running));
  alone.get_future().get();
  Submission reads = greedy(service, 2, options.long_prompt_tokens, 1);
  reads.listener.on_prefill = [&](std::size_t, std::size_t) { pieces.push_back(Clock::now()); };
  service.run(std::move(reads)).get();
  service.cancel(id);
  stopped.get_future().get();

  std::vector<double> steps, turns;
  for (std::size_t i = 1; i < kAlone; ++i) steps.push_back(seconds(tokens[i - 1], tokens[i]));
  for (const Clock::time_point piece : pieces) {  // a token, the piece, the next token
    const auto next = std::upper_bound(tokens.begin(), tokens.end(), piece);
    if (next == tokens.begin() || next == tokens.end()) continue;
    turns.push_back(seconds(*(next - 1), piece));
    const double gap = seconds(*(next - 1), *next);
    if (gap <= result.longest_gap_seconds) continue;
    result.longest_gap_seconds = gap;
    result.longest_gap_piece_seconds = turns.back();
  }
  result.step_seconds = median(steps);
  result.piece_seconds = median(turns);
  result.pieces = pieces.size();
}

}  // namespace

RequestsResult run_requests_bench(Service& service, const RequestsOptions& options) {
  std::vector<double> batch, requests, ratios;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    batch.push_back(batch_rate(service, options));
    check_cancel(options);
    requests.push_back(requests_rate(service, options));
    check_cancel(options);
    ratios.push_back(ratio(requests.back(), batch.back()));
  }
  RequestsResult result;
  result.batch_tokens_per_second = {median(batch), largest(batch)};
  result.requests_tokens_per_second = {median(requests), largest(requests)};
  result.ratio = median(ratios);
  if (options.long_prompt_tokens > 0) measure_gap(service, options, result);
  return result;
}

}  // namespace xlstm::engine
