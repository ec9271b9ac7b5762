#include "xlstm/engine/bench.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/engine/machine.h"
#include "xlstm/engine/statistics.h"
#include "xlstm/kernels/cpu/probe.h"
#include "xlstm/model/cost.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A phase of the run, over all repeats.
struct Measured {
  std::vector<double> seconds;  // of each repeat
  std::vector<double> probes;   // beside it: what the machine could do a second
  backend::Profile profile;

  /// Things a second when a repeat does `count`.
  Figure rate(double count) const { return {ratio(count, median(seconds)), ratio(count, smallest(seconds))}; }
  /// The same as a fraction of the probes.
  Figure fraction(double count) const {
    std::vector<double> fractions;
    for (std::size_t i = 0; i < seconds.size(); ++i) fractions.push_back(ratio(ratio(count, seconds[i]), probes[i]));
    return {median(fractions), largest(fractions)};
  }
};

Figure summary(const std::vector<double>& probes) { return {median(probes), largest(probes)}; }
Figure operator*(const Figure& figure, double factor) { return {figure.median * factor, figure.best * factor}; }

double larger_of_last_two(const std::vector<double>& probes) { return std::max(probes.back(), *(probes.end() - 2)); }

/// While one lives, every pass is timed into its profile. Without a profile nothing is.
class ProfileScope {
 public:
  ProfileScope(backend::Backend& backend, backend::Profile* profile) : backend_(profile ? &backend : nullptr) {
    if (backend_ != nullptr) backend_->set_profile(profile);
  }
  ~ProfileScope() {
    if (backend_ != nullptr) backend_->set_profile(nullptr);
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  backend::Backend* backend_;
};

/// One bench: rows, states and probes, and what was measured so far.
class Run {
 public:
  Run(Engine& engine, const BenchOptions& options)
      : engine_(engine), options_(options), pool_(engine.backend().num_threads()) {
    const auto vocab = static_cast<std::size_t>(engine.model().config.vocab_size);
    for (std::int64_t row = 0; row < options.batch; ++row) {
      prompts_.push_back(random_prompt(static_cast<std::uint64_t>(row), vocab));
      logits_.emplace_back(vocab);
      states_.push_back(engine.backend().make_state());
      first_tokens_.push_back(prompts_.back().front());
    }
  }

  BenchResult run() {
    reset_peak_rss();
    warm_up();
    const std::size_t peak = peak_rss_bytes();
    kernels::ReadProbe read_probe(pool_);
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      if (options_.prompt_tokens > 0) {
        flops_.push_back(kernels::fma_peak(pool_));
        const ProfileScope scope(engine_.backend(), options_.profile ? &prefill_.profile : nullptr);
        prefill_.seconds.push_back(prefill(options_.prompt_tokens));
      }
      flops_.push_back(kernels::fma_peak(pool_));
      if (options_.prompt_tokens > 0) prefill_.probes.push_back(larger_of_last_two(flops_));
      bandwidths_.push_back(read_probe.measure(pool_));
      if (options_.decode_tokens > 0) {
        const ProfileScope scope(engine_.backend(), options_.profile ? &decode_.profile : nullptr);
        const std::vector<double> steps = decode(options_.decode_tokens);
        decode_.seconds.push_back(total(steps));
        best_steps_.push_back(smallest(steps));
        bandwidths_.push_back(read_probe.measure(pool_));
        decode_.probes.push_back(larger_of_last_two(bandwidths_));
      }
      report((repeat + 1.0) / options_.repeats);
    }
    // The probe's buffer is resident all the while, so what the model itself needed is the peak without it.
    const std::size_t end = peak_rss_bytes();
    return result(std::max(peak, end - std::min(end, read_probe.nbytes())));
  }

 private:
  std::vector<TokenId> random_prompt(std::uint64_t row, std::size_t vocab) const {
    std::vector<TokenId> ids;
    const auto length = static_cast<std::uint64_t>(std::max<std::int64_t>(options_.prompt_tokens, 1));
    for (std::uint64_t i = 0; i < length; ++i) {
      ids.push_back(static_cast<TokenId>(uniform(RngKey{row, i}) * static_cast<double>(vocab)));
    }
    return ids;
  }

  void check_cancelled() const {
    if (options_.cancel != nullptr && *options_.cancel) fail(ErrorCode::cancelled, "bench", "cancelled");
  }
  void report(double fraction) const {
    if (options_.on_progress) options_.on_progress(fraction);
  }

  /// Touches every weight and all working memory: a prefill of at most one segment, two steps.
  void warm_up() {
    report(0);
    if (options_.prompt_tokens > 0) prefill(std::min(options_.prompt_tokens, segment()));
    if (options_.decode_tokens > 0) decode(std::min<std::int64_t>(options_.decode_tokens, 2));
  }
  std::int64_t segment() const {
    return static_cast<std::int64_t>(std::max<std::size_t>(engine_.backend().prefill_segment(), 1));
  }

  /// Seconds from the prompts to the first token of every row; leaves the states behind them.
  double prefill(std::int64_t tokens) {
    check_cancelled();
    std::vector<backend::PrefillRow> rows;
    for (std::size_t row = 0; row < prompts_.size(); ++row) {
      states_[row] = engine_.backend().make_state();
      rows.push_back({std::span(prompts_[row]).first(static_cast<std::size_t>(tokens)), states_[row].get(),
                      backend::Logits::last, logits_[row]});
    }
    const auto start = Clock::now();
    engine_.backend().prefill(rows);
    for (std::size_t row = 0; row < rows.size(); ++row) first_tokens_[row] = best_token(row);
    return seconds_since(start);
  }

  /// Seconds of each of `steps` greedy steps of every row, on copies of the states.
  std::vector<double> decode(std::int64_t steps) {
    std::vector<std::unique_ptr<backend::State>> states;
    std::vector<backend::DecodeRow> rows;
    for (std::size_t row = 0; row < states_.size(); ++row) {
      states.push_back(states_[row]->clone());
      rows.push_back({first_tokens_[row], states.back().get(), logits_[row]});
    }
    std::vector<double> seconds;
    for (std::int64_t step = 0; step < steps; ++step) {
      check_cancelled();
      const auto start = Clock::now();
      engine_.backend().decode(rows);
      for (std::size_t row = 0; row < rows.size(); ++row) rows[row].token = best_token(row);
      seconds.push_back(seconds_since(start));
    }
    return seconds;
  }

  TokenId best_token(std::size_t row) const {
    const std::vector<float>& logits = logits_[row];
    return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  BenchResult result(std::size_t peak) const {
    const model::Model& model = engine_.model();
    BenchResult out;
    out.peak_rss_bytes = peak;
    out.weight_bytes = model.weight_bytes;
    out.state_bytes_per_sequence = engine_.state_nbytes();
    out.read_bandwidth_bytes_per_second = summary(bandwidths_);
    out.float32_flops_per_second = summary(flops_);
    add_prefill(out);
    add_decode(out);
    return out;
  }

  Ceilings ceilings() const { return {largest(bandwidths_), largest(flops_)}; }

  void add_prefill(BenchResult& out) const {
    if (options_.prompt_tokens == 0) return;
    const model::Costs costs = model::prefill_costs(engine_.model(), options_.batch, options_.prompt_tokens, segment(),
                                                    engine_.backend().state_dtype());
    out.prefill_tokens_per_second = prefill_.rate(static_cast<double>(options_.batch * options_.prompt_tokens));
    out.time_to_first_token_seconds = median(prefill_.seconds);
    out.prefill_flops = costs.total().flops;
    out.prefill_flops_fraction = prefill_.fraction(out.prefill_flops);
    if (!options_.profile) return;
    out.prefill_profile = profile_rows(prefill_.profile, costs, ceilings(), options_.repeats, total(prefill_.seconds));
  }

  void add_decode(BenchResult& out) const {
    const model::Costs costs = model::decode_costs(engine_.model(), options_.batch, engine_.backend().state_dtype());
    out.decode_step_bytes = costs.total().bytes;
    if (options_.decode_tokens == 0) return;
    const Figure steps_per_second = decode_.rate(static_cast<double>(options_.decode_tokens));
    out.decode_tokens_per_second = steps_per_second * static_cast<double>(options_.batch);
    out.decode_step_best_seconds = smallest(best_steps_);
    out.decode_bandwidth_fraction =
        decode_.fraction(out.decode_step_bytes * static_cast<double>(options_.decode_tokens));
    if (!options_.profile) return;
    out.decode_profile = profile_rows(decode_.profile, costs, ceilings(), options_.repeats * options_.decode_tokens,
                                      total(decode_.seconds));
  }

  Engine& engine_;
  const BenchOptions& options_;
  ThreadPool pool_;  // the probes' own, as wide as the backend's
  std::vector<std::vector<TokenId>> prompts_;
  std::vector<std::vector<float>> logits_;  // [rows][V]
  std::vector<std::unique_ptr<backend::State>> states_;
  std::vector<TokenId> first_tokens_;
  Measured prefill_, decode_;
  std::vector<double> best_steps_, bandwidths_, flops_;
};

void check(const char* what, std::int64_t least, std::int64_t value) {
  if (value < least) fail(ErrorCode::invalid_argument, "bench", "expected ", what, " >= ", least, " but got ", value);
}

}  // namespace

BenchResult run_bench(Engine& engine, const BenchOptions& options) {
  check("prompt_tokens", 0, options.prompt_tokens);
  check("decode_tokens", 0, options.decode_tokens);
  check("batch", 1, options.batch);
  check("repeats", 1, options.repeats);
  return Run(engine, options).run();
}

void write_checkpoint(const Engine& engine, const std::filesystem::path& directory) {
  model::write_huggingface(engine.model(), directory);
}

std::vector<std::string> synthetic_names() { return model::synthetic_names(); }

}  // namespace xlstm::engine
