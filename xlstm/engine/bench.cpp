#include "xlstm/engine/bench.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>
#include <vector>

#include "xlstm/base/error.h"
#include "xlstm/base/random.h"
#include "xlstm/engine/machine.h"
#include "xlstm/kernels/cpu/mlstm_chunkwise.h"
#include "xlstm/kernels/cpu/probe.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

/// What one token must read and compute in the blocks: bytes of every weight, multiply-adds of every matrix.
class WeightCount {
 public:
  double bytes = 0;
  double multiply_adds = 0;

  void operator()(const model::LargeBlock& block) {
    add_all(block.norm_mlstm, block.q, block.k, block.v, block.ogate, block.igate, block.fgate, block.multihead_norm);
    add_all(block.out_proj, block.norm_ffn, block.ffn_gate, block.ffn_up, block.ffn_down);
  }
  void operator()(const model::ResearchMlstmBlock& block) {
    add_all(block.norm, block.proj_up, block.conv, block.q, block.k, block.v, block.igate, block.fgate);
    add_all(block.outnorm, block.learnable_skip, block.proj_down);
  }
  void operator()(const model::ResearchSlstmBlock& block) {
    add_all(block.norm, block.igate, block.fgate, block.zgate, block.ogate, block.recurrent, block.bias);
    add(block.group_norm);
    multiply_adds += static_cast<double>(block.recurrent.size());
    if (block.conv) add(*block.conv);
    if (block.ffn) add_all(block.ffn->norm, block.ffn->up, block.ffn->down);
  }
  void add(const model::Linear& linear) {
    bytes += static_cast<double>(linear.weight.nbytes());
    multiply_adds += static_cast<double>(linear.weight.size());
    add(linear.bias);
  }
  void add(const model::Norm& norm) { add_all(norm.weight, norm.bias); }

 private:
  template <class... Parts>
  void add_all(const Parts&... parts) {
    (add(parts), ...);
  }
  void add(const FloatArray& array) { bytes += static_cast<double>(array.size() * sizeof(float)); }
  void add(const model::HeadwiseLinear& linear) {
    add_all(linear.weight, linear.bias);
    multiply_adds += static_cast<double>(linear.weight.size());
  }
  void add(const model::CausalConv& conv) {
    add_all(conv.weight, conv.bias);
    multiply_adds += static_cast<double>(conv.weight.size());
  }
};

WeightCount count_blocks(const model::Model& model) {
  WeightCount count;
  for (const model::Block& block : model.blocks) std::visit(count, block);
  if (model.out_norm) count.add(*model.out_norm);
  return count;
}

/// One head, one chunk of L tokens, key width d, value width e: the five lines of reference section 2.4.
double mlstm_chunk_flops(double L, double d, double e) {
  constexpr double kPhi = 0.5;  // of the L x L square is computed
  const double gates = L * (L + 1) / 2 + 6 * L + 5;
  const double state = 2 * d * e + 2 * L * d * e + L * d + 2 * d + 2 * L * d;
  const double intra = L * (L + 1) / 2 + 2 * L + kPhi * (5 * L * L + 2 * L) + kPhi * (2 * L * L * (d + e) + 3 * L * L);
  const double inter = 2 * L * d * e + 3 * L * d;
  const double combination = 2 * L * e + 4 * L;
  return gates + state + intra + inter + combination;
}

double mlstm_flops(const config::ModelConfig& config, std::int64_t tokens) {
  const auto d = static_cast<double>(config.qk_head_dim()), e = static_cast<double>(config.v_head_dim());
  const std::int64_t chunk = std::clamp<std::int64_t>(config.chunk_size, 1, kernels::kMaxChunk);
  const std::int64_t whole_chunks = tokens / chunk;
  double flops = static_cast<double>(whole_chunks) * mlstm_chunk_flops(static_cast<double>(chunk), d, e);
  if (tokens % chunk != 0) flops += mlstm_chunk_flops(static_cast<double>(tokens % chunk), d, e);
  return static_cast<double>(config.num_heads) * flops;
}

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
    warm_up();
    const std::size_t peak = peak_rss_bytes();
    kernels::ReadProbe read_probe(pool_);
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      if (options_.prompt_tokens > 0) {
        flops_.push_back(kernels::fma_peak(pool_));
        prefill_seconds_.push_back(prefill(options_.prompt_tokens));
      }
      flops_.push_back(kernels::fma_peak(pool_));
      bandwidths_.push_back(read_probe.measure(pool_));
      if (options_.decode_tokens > 0) {
        decode_seconds_.push_back(decode(options_.decode_tokens));
        bandwidths_.push_back(read_probe.measure(pool_));
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
    const auto segment = static_cast<std::int64_t>(std::max<std::size_t>(engine_.backend().prefill_segment(), 1));
    if (options_.prompt_tokens > 0) prefill(std::min(options_.prompt_tokens, segment));
    if (options_.decode_tokens > 0) decode(std::min<std::int64_t>(options_.decode_tokens, 2));
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

  /// Seconds of `steps` greedy steps of every row, on copies of the states.
  double decode(std::int64_t steps) {
    std::vector<std::unique_ptr<backend::State>> states;
    std::vector<backend::DecodeRow> rows;
    for (std::size_t row = 0; row < states_.size(); ++row) {
      states.push_back(states_[row]->clone());
      rows.push_back({first_tokens_[row], states.back().get(), logits_[row]});
    }
    const auto start = Clock::now();
    for (std::int64_t step = 0; step < steps; ++step) {
      check_cancelled();
      engine_.backend().decode(rows);
      for (std::size_t row = 0; row < rows.size(); ++row) rows[row].token = best_token(row);
    }
    return seconds_since(start);
  }

  TokenId best_token(std::size_t row) const {
    const std::vector<float>& logits = logits_[row];
    return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  BenchResult result(std::size_t peak) const {
    const model::Model& model = engine_.model();
    const auto rows = static_cast<double>(options_.batch);
    BenchResult out;
    out.peak_rss_bytes = peak;
    out.weight_bytes = model.weight_bytes;
    out.state_bytes_per_sequence = engine_.state_nbytes();
    out.read_bandwidth_bytes_per_second = largest(bandwidths_);
    out.read_bandwidth_median_bytes_per_second = median(bandwidths_);
    out.float32_flops_per_second = largest(flops_);
    out.float32_flops_median_per_second = median(flops_);

    const double prefill_time = median(prefill_seconds_), decode_time = median(decode_seconds_);
    out.prefill_tokens_per_second = ratio(rows * static_cast<double>(options_.prompt_tokens), prefill_time);
    out.time_to_first_token_seconds = prefill_time;
    out.prefill_flops = options_.prompt_tokens > 0 ? rows * prefill_flops(model, options_.prompt_tokens) : 0;
    out.prefill_flops_fraction = ratio(ratio(out.prefill_flops, prefill_time), out.float32_flops_per_second);

    const double steps_per_second = ratio(static_cast<double>(options_.decode_tokens), decode_time);
    out.decode_tokens_per_second = rows * steps_per_second;
    out.decode_step_bytes = decode_step_bytes(model, options_.batch, engine_.backend().state_dtype());
    out.decode_bandwidth_fraction =
        ratio(out.decode_step_bytes * steps_per_second, out.read_bandwidth_bytes_per_second);
    return out;
  }

  Engine& engine_;
  const BenchOptions& options_;
  ThreadPool pool_;  // the probes' own, as wide as the backend's
  std::vector<std::vector<TokenId>> prompts_;
  std::vector<std::vector<float>> logits_;  // [rows][V]
  std::vector<std::unique_ptr<backend::State>> states_;
  std::vector<TokenId> first_tokens_;
  std::vector<double> prefill_seconds_, decode_seconds_, bandwidths_, flops_;
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

double decode_step_bytes(const model::Model& model, std::int64_t batch, DType state_dtype) {
  WeightCount count = count_blocks(model);
  count.add(model.lm_head);
  const auto embedding_row =
      static_cast<double>(model.config.embedding_dim) * static_cast<double>(dtype_size(model.embedding.weight.dtype));
  const auto state = static_cast<double>(model.state_spec.nbytes(state_dtype));
  return count.bytes + static_cast<double>(batch) * (embedding_row + 2 * state);
}

double prefill_flops(const model::Model& model, std::int64_t tokens) {
  const auto num_mlstm =
      static_cast<double>(std::count(model.config.blocks.begin(), model.config.blocks.end(), config::BlockKind::mlstm));
  const double matrices = 2 * count_blocks(model).multiply_adds * static_cast<double>(tokens);
  const double head = 2 * static_cast<double>(model.lm_head.weight.size());
  return matrices + head + num_mlstm * mlstm_flops(model.config, tokens);
}

void write_checkpoint(const Engine& engine, const std::filesystem::path& directory) {
  model::write_huggingface(engine.model(), directory);
}

std::vector<std::string> synthetic_names() { return model::synthetic_names(); }

}  // namespace xlstm::engine
