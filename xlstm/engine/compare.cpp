#include "xlstm/engine/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "xlstm/backend/observer.h"
#include "xlstm/base/error.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/sampling/divergence.h"
#include "xlstm/sampling/sampler.h"

namespace xlstm::engine {
namespace {

// The residual streams of one segment.
class Streams final : public backend::Observer {
 public:
  explicit Streams(const model::Model& model) : depths_(model.blocks.size() + 1) {}
  void on_stream(std::size_t depth, std::span<const float> x) override {
    depths_[depth].insert(depths_[depth].end(), x.begin(), x.end());
  }
  void clear() {
    for (std::vector<float>& depth : depths_) depth.clear();
  }
  const std::vector<std::vector<float>>& depths() const { return depths_; }

 private:
  std::vector<std::vector<float>> depths_;
};

class LayerErrors {
 public:
  LayerErrors(Engine& reference, Engine& other)
      : reference_(reference.model()),
        other_(other.model()),
        of_reference_(reference.backend(), reference_),
        of_other_(other.backend(), other_),
        difference_(reference.model().blocks.size() + 1),
        norm_(difference_.size()) {}

  /// Takes in what both have seen of a segment.
  void add_segment() {
    for (std::size_t depth = 0; depth < norm_.size(); ++depth) {
      const std::vector<float>&x = reference_.depths()[depth], &y = other_.depths()[depth];
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double value = static_cast<double>(x[i]), error = value - static_cast<double>(y[i]);
        norm_[depth] += value * value;
        difference_[depth] += error * error;
      }
    }
    reference_.clear();
    other_.clear();
  }
  std::vector<double> relative() const {
    std::vector<double> errors;
    for (std::size_t depth = 0; depth < norm_.size(); ++depth) {
      errors.push_back(difference_[depth] == 0 ? 0 : std::sqrt(difference_[depth] / norm_[depth]));
    }
    return errors;
  }

 private:
  Streams reference_, other_;
  backend::Observation of_reference_, of_other_;
  std::vector<double> difference_, norm_;  // sums of squares
};

template <class A, class B>
void require_equal(const Engine& reference, const Engine& other, const char* what, const A& expected, const B& found) {
  if (expected == found) return;
  fail(ErrorCode::invalid_argument, other.source(), what, ": expected that of ", reference.source(), ", ", expected,
       ", but got ", found);
}

void require_comparable(const Engine& reference, const Engine& other, bool layers) {
  const config::ModelConfig &a = reference.model().config, &b = other.model().config;
  require_equal(reference, other, "size of the vocabulary", a.vocab_size, b.vocab_size);
  require_equal(reference, other, "tokenizer", reference.tokenizer().fingerprint(), other.tokenizer().fingerprint());
  if (!layers) return;
  require_equal(reference, other, "number of blocks", reference.model().blocks.size(), other.model().blocks.size());
  require_equal(reference, other, "width", a.embedding_dim, b.embedding_dim);
}

std::size_t most_probable(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Sums over predictions.
class Predictions {
 public:
  explicit Predictions(Engine& reference)
      : vocab_(static_cast<std::size_t>(reference.model().config.vocab_size)),
        pool_(reference.backend().num_threads()) {}

  /// p, q [count, V]: logits of the reference and of the other; next [count]: what comes.
  void add(std::span<const float> p, std::span<const float> q, std::span<const TokenId> next) {
    const auto row = [&](std::span<const float> logits, std::size_t t) { return logits.subspan(t * vocab_, vocab_); };
    for (std::size_t t = 0; t < next.size(); ++t) {  // throws for what is no number, so the pool need not
      nll_p_ -= sampling::log_probability(row(p, t), next[t]);
      nll_q_ -= sampling::log_probability(row(q, t), next[t]);
    }
    std::vector<double> kl(next.size());
    std::vector<std::uint8_t> same(next.size());
    pool_.parallel_for(std::ssize(next), [&](std::int64_t i) {
      const auto t = static_cast<std::size_t>(i);
      kl[t] = sampling::kl_divergence(row(p, t), row(q, t));
      same[t] = most_probable(row(p, t)) == most_probable(row(q, t));
    });
    for (std::size_t t = 0; t < next.size(); ++t) {
      kl_ += kl[t];
      max_kl_ = std::max(max_kl_, kl[t]);
      agreed_ += same[t];
    }
  }

  Comparison summary(std::size_t tokens) const {
    const auto count = static_cast<double>(tokens - 1);
    return {Perplexity::of(tokens, nll_p_),
            Perplexity::of(tokens, nll_q_),
            kl_ / count,
            max_kl_,
            static_cast<double>(agreed_) / count,
            {}};
  }

 private:
  std::size_t vocab_;
  ThreadPool pool_;
  double nll_p_ = 0, nll_q_ = 0, kl_ = 0, max_kl_ = 0;
  std::size_t agreed_ = 0;
};

}  // namespace

Comparison compare(Engine& reference, Engine& other, std::span<const TokenId> tokens, bool layers,
                   const generation::Callbacks& callbacks) {
  if (tokens.size() < 2) {
    fail(ErrorCode::invalid_argument, "perplexity", "expected at least 2 tokens but got ", tokens.size());
  }
  require_comparable(reference, other, layers);
  std::optional<LayerErrors> errors;
  if (layers) errors.emplace(reference, other);
  Predictions predictions(reference);
  Session of_reference = reference.new_session(), of_other = other.new_session();
  const std::size_t segment = std::max<std::size_t>(reference.backend().prefill_segment(), 1);
  for (std::size_t begin = 0; begin < tokens.size(); begin += segment) {
    if (callbacks.cancel != nullptr && *callbacks.cancel) fail(ErrorCode::cancelled, "perplexity", "cancelled");
    const std::span<const TokenId> part = tokens.subspan(begin, std::min(segment, tokens.size() - begin));
    const std::vector<float> p = reference.all_logits(of_reference, part), q = other.all_logits(of_other, part);
    predictions.add(p, q, tokens.subspan(begin + 1, std::min(part.size(), tokens.size() - begin - 1)));
    if (errors) errors->add_segment();
    if (callbacks.on_prefill) callbacks.on_prefill(begin + part.size(), tokens.size());
  }
  Comparison comparison = predictions.summary(tokens.size());
  if (errors) comparison.layer_errors = errors->relative();
  return comparison;
}

}  // namespace xlstm::engine
