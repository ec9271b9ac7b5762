#include "xlstm/engine/embed.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <utility>

#include "xlstm/backend/observer.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/reference/norms.h"

namespace xlstm::engine {
namespace {

/// The final norm of a hidden state, in double.
class FinalNorm {
 public:
  explicit FinalNorm(const model::Model& model)
      : present_(model.out_norm.has_value()),
        rms_(model.config.architecture == config::Architecture::large),
        eps_(static_cast<double>(model.config.norm_eps)) {
    if (!present_) return;
    const auto widen = [](std::span<const float> values) { return std::vector<double>(values.begin(), values.end()); };
    weight_ = widen(model.out_norm->weight.span());
    bias_ = widen(model.out_norm->bias.span());
  }
  void apply(std::vector<double>& x) const {
    if (!present_) return;
    const auto size = static_cast<std::int64_t>(x.size());
    const double* const weight = weight_.empty() ? nullptr : weight_.data();
    const double* const bias = bias_.empty() ? nullptr : bias_.data();
    if (rms_) {
      kernels::reference::rms_norm(x.data(), size, weight, bias, eps_, x.data());
    } else {
      kernels::reference::group_norm(x.data(), size, 1, weight, bias, eps_, x.data());
    }
  }

 private:
  bool present_, rms_;
  double eps_;
  std::vector<double> weight_, bias_;
};

/// One text on its way.
class Embedding final : public backend::Observer {
 public:
  Embedding(const model::Model& model, std::vector<TokenId> tokens, const EmbedOptions& options)
      : norm_(model),
        depth_(model.blocks.size()),
        dim_(static_cast<std::size_t>(model.config.embedding_dim)),
        tokens_(std::move(tokens)),
        options_(options),
        sum_(dim_) {}

  /// Reads a segment. False: that was the last.
  bool step(backend::Backend& backend, backend::State& state) {
    const std::size_t segment = std::max<std::size_t>(backend.prefill_segment(), 1);
    const std::size_t count = std::min(segment, tokens_.size() - done_);
    const backend::PrefillRow row{std::span(tokens_).subspan(done_, count), &state, backend::Logits::none, {}};
    const backend::Observation observation(backend, *this);
    backend.prefill(std::span(&row, 1));
    done_ += count;
    return done_ < tokens_.size();
  }
  void on_stream(std::size_t depth, std::span<const float> x) override {
    if (depth != depth_) return;
    std::size_t row = options_.pooling == Pooling::last ? x.size() / dim_ - 1 : 0;
    for (; row < x.size() / dim_; ++row) {
      std::vector<double> hidden(x.begin() + static_cast<std::ptrdiff_t>(row * dim_),
                                 x.begin() + static_cast<std::ptrdiff_t>((row + 1) * dim_));
      norm_.apply(hidden);
      if (options_.pooling == Pooling::last) sum_.assign(dim_, 0.0);
      for (std::size_t i = 0; i < dim_; ++i) sum_[i] += hidden[i];
    }
  }
  std::vector<float> result() const {
    double divisor = options_.pooling == Pooling::mean ? static_cast<double>(tokens_.size()) : 1;
    if (options_.normalize) {
      double squares = 0;
      for (const double value : sum_) squares += value * value;
      divisor = squares > 0 ? std::sqrt(squares) : 1;
    }
    std::vector<float> found;
    for (const double value : sum_) found.push_back(static_cast<float>(value / divisor));
    return found;
  }
  std::size_t done() const noexcept { return done_; }

 private:
  FinalNorm norm_;
  std::size_t depth_, dim_, done_ = 0;
  std::vector<TokenId> tokens_;
  EmbedOptions options_;
  std::vector<double> sum_;  // over the tokens, or the last alone
};

struct Work {
  Embedding embedding;
  scheduler::SharedState state;
  OnEmbedded done;
};

void go_on(Service& service, const std::shared_ptr<Work>& work) {
  service.call([&service, work](Engine& engine, scheduler::Scheduler& scheduler) {
    try {
      if (!work->state) work->state = scheduler.pool().make();
      if (work->embedding.step(engine.backend(), scheduler.pool().writable(work->state))) return go_on(service, work);
      work->state = {};
    } catch (...) {
      work->state = {};
      return work->done({}, std::current_exception());
    }
    work->done(work->embedding.result(), nullptr);
  });
}

}  // namespace

std::vector<float> embed(Engine& engine, std::span<const TokenId> tokens, const EmbedOptions& options,
                         const generation::Callbacks& callbacks) {
  Session session = engine.new_session();
  Embedding embedding(engine.model(), {tokens.begin(), tokens.end()}, options);
  for (bool more = true; more;) {
    if (callbacks.cancel != nullptr && *callbacks.cancel) fail(ErrorCode::cancelled, "embed", "cancelled");
    more = embedding.step(engine.backend(), session.state());
    if (callbacks.on_prefill) callbacks.on_prefill(embedding.done(), tokens.size());
  }
  return embedding.result();
}

std::vector<float> embed(Engine& engine, std::string_view text, const EmbedOptions& options,
                         const generation::Callbacks& callbacks) {
  return embed(engine, engine.encode(text, /*with_bos=*/true), options, callbacks);
}

std::future<std::vector<float>> embed(Service& service, std::vector<TokenId> tokens, const EmbedOptions& options) {
  const auto promise = std::make_shared<std::promise<std::vector<float>>>();
  embed(service, std::move(tokens), options, [promise](std::vector<float> found, std::exception_ptr fault) {
    if (fault != nullptr) {
      promise->set_exception(fault);
    } else {
      promise->set_value(std::move(found));
    }
  });
  return promise->get_future();
}

void embed(Service& service, std::vector<TokenId> tokens, const EmbedOptions& options, OnEmbedded done) {
  go_on(service,
        std::make_shared<Work>(Work{Embedding(service.model(), std::move(tokens), options), {}, std::move(done)}));
}

}  // namespace xlstm::engine
