#include "xlstm/calibration/recipe.h"

#include <algorithm>
#include <utility>

#include "xlstm/backend/backend.h"
#include "xlstm/base/error.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/calibration/variant.h"
#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/sampling/divergence.h"
#include "xlstm/sampling/softmax.h"

namespace xlstm::calibration {
namespace {

constexpr int kWideBits = 8;

std::size_t bytes_of(quantize::Rewrite rewrite, std::optional<int> bits = {}) {
  if (bits) rewrite.format->bits = *bits;
  std::size_t sum = 0;
  for (const TensorView& output : quantize::outputs_of(rewrite)) sum += output.nbytes();
  return sum;
}

/// Reads one text with variants of a model and compares their predictions with the model's own.
class Meter {
 public:
  Meter(std::shared_ptr<const model::Model> reference, std::span<const TokenId> tokens)
      : vocab_(static_cast<std::size_t>(reference->config.vocab_size)), tokens_(tokens) {
    checkpoint::require_memory(2 * tokens.size() * vocab_ * sizeof(float), "calibrate", "the logits of the text",
                               [] { return checkpoint::available_memory_bytes(); });
    reference_ = logits_of(std::move(reference));
  }

  /// Mean KL(reference || variant) of a prediction.
  double divergence(std::shared_ptr<const model::Model> variant) {
    const std::vector<float> logits = logits_of(std::move(variant));
    std::vector<double> kl(tokens_.size());
    pool_.parallel_for(std::ssize(kl), [&](std::int64_t i) {
      const auto t = static_cast<std::size_t>(i);
      kl[t] = sampling::kl_divergence(row(reference_, t), row(logits, t));
    });
    double sum = 0;
    for (const double value : kl) sum += value;
    return sum / static_cast<double>(kl.size());
  }
  ThreadPool& pool() { return pool_; }

 private:
  std::span<const float> row(std::span<const float> logits, std::size_t t) const {
    return logits.subspan(t * vocab_, vocab_);
  }
  std::vector<float> logits_of(std::shared_ptr<const model::Model> model) const {
    const auto backend = backend::make_backend("cpu", std::move(model), {.activation_dtype = DType::float32});
    const auto state = backend->make_state();
    std::vector<float> logits(tokens_.size() * vocab_);
    const backend::PrefillRow text{tokens_, state.get(), backend::Logits::all, logits};
    backend->prefill({&text, 1});
    for (std::size_t t = 0; t < tokens_.size(); ++t) sampling::checked_max(row(logits, t));  // the pool must not throw
    return logits;
  }

  std::size_t vocab_;
  std::span<const TokenId> tokens_;
  std::vector<float> reference_;
  ThreadPool pool_;
};

std::vector<Candidate> measure(const quantize::Source& source, const std::vector<quantize::Rewrite>& rewrites,
                               std::span<const TokenId> tokens, const quantize::Callbacks& callbacks) {
  Meter meter(source.model, tokens);
  std::vector<Candidate> candidates;
  for (std::size_t i = 0; i < rewrites.size(); ++i) {
    if (callbacks.cancel != nullptr && *callbacks.cancel) fail(ErrorCode::cancelled, "calibrate", "cancelled");
    const quantize::Rewrite& rewrite = rewrites[i];
    if (rewrite.format) {
      candidates.push_back({quantize::module_of(rewrite.name, "weight").value(),
                            meter.divergence(with_quantized(*source.model, rewrite, meter.pool())), bytes_of(rewrite),
                            bytes_of(rewrite, kWideBits)});
    }
    if (callbacks.on_progress) {
      callbacks.on_progress(static_cast<double>(i + 1) / static_cast<double>(rewrites.size()));
    }
  }
  return candidates;
}

/// Bytes that a recipe may take beyond those of 4 bits for all.
std::size_t room_for(const std::vector<quantize::Rewrite>& rewrites, double target_bits) {
  std::int64_t parameters = 0;
  std::size_t least = 0;
  for (const quantize::Rewrite& rewrite : rewrites) {
    parameters += rewrite.size();
    least += bytes_of(rewrite);
  }
  const double room = target_bits / 8 * static_cast<double>(parameters) - static_cast<double>(least);
  if (!(room >= 0)) {
    fail(ErrorCode::invalid_argument, "target bits", "expected at least the ",
         8 * static_cast<double>(least) / static_cast<double>(parameters),
         " a weight that 4 bits for all take, with scales, biases and what is not quantised, but got ", target_bits);
  }
  return static_cast<std::size_t>(room);
}

}  // namespace

std::set<std::string> choose_wide(std::vector<Candidate> candidates, std::size_t room) {
  const auto gain = [](const Candidate& c) { return c.damage / static_cast<double>(c.wide_bytes - c.narrow_bytes); };
  std::ranges::sort(candidates, [&](const Candidate& a, const Candidate& b) {
    return std::pair(-gain(a), a.module) < std::pair(-gain(b), b.module);
  });
  std::set<std::string> wide;
  for (const Candidate& candidate : candidates) {
    const std::size_t more = candidate.wide_bytes - candidate.narrow_bytes;
    if (more > room) continue;
    room -= more;
    wide.insert(candidate.module);
  }
  return wide;
}

Recipe find_recipe(const checkpoint::FileSource& files, const quantize::QuantizeOptions& options, double target_bits,
                   std::span<const TokenId> tokens, const quantize::Callbacks& callbacks) {
  const quantize::Source source = quantize::open_source(files);
  const quantize::Plan plan = quantize::plan_quantization(source, options);
  const std::size_t room = room_for(plan.rewrites, target_bits);
  Recipe recipe;
  recipe.candidates = measure(source, plan.rewrites, tokens, callbacks);
  for (const std::string& module : choose_wide(recipe.candidates, room)) {
    recipe.modules[module] = {kWideBits, options.format.group_size};
  }
  std::ranges::stable_sort(recipe.candidates,
                           [](const Candidate& a, const Candidate& b) { return a.damage > b.damage; });
  return recipe;
}

}  // namespace xlstm::calibration
