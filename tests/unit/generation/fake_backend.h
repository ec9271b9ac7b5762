// A model without mathematics: after n tokens it wants script[n], whatever the tokens were.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/backend/backend.h"

namespace xlstm::generation {

/// Everything the state has read.
class FakeState final : public backend::State {
 public:
  std::unique_ptr<backend::State> clone() const override { return std::make_unique<FakeState>(*this); }
  void to_host(std::span<float> slot) const override { std::copy(tokens.begin(), tokens.end(), slot.begin()); }
  void from_host(std::span<const float> slot) override { tokens.assign(slot.begin(), slot.end()); }

  std::vector<TokenId> tokens;
};

/// Logits: 2 for script[tokens read], 1 for `second`, 0 else; past the end of the script its last id goes on.
class FakeBackend final : public backend::Backend {
 public:
  FakeBackend(std::int64_t vocab_size, std::size_t segment, std::vector<TokenId> script)
      : script_(std::move(script)), segment_(segment) {
    model_.config.vocab_size = vocab_size;
    model_.embedding.weight.shape = {vocab_size, 1};
    model_.lm_head.weight.shape = {vocab_size, 1};
  }

  std::string_view name() const noexcept override { return "fake"; }
  const model::Model& model() const noexcept override { return model_; }
  int num_threads() const noexcept override { return 1; }
  std::unique_ptr<backend::State> make_state() override { return std::make_unique<FakeState>(); }
  std::size_t prefill_segment() const noexcept override { return segment_; }

  void prefill(std::span<const backend::PrefillRow> rows) override {
    for (const backend::PrefillRow& row : rows) {
      read(*row.state, row.tokens);
      pieces.emplace_back(row.tokens.size(), row.wanted);
      if (row.wanted == backend::Logits::last) write(*row.state, row.logits);
    }
  }

  void decode(std::span<const backend::DecodeRow> rows) override {
    for (const backend::DecodeRow& row : rows) {
      read(*row.state, std::span(&row.token, 1));
      write(*row.state, row.logits);
      ++steps;
    }
  }

  std::vector<std::pair<std::size_t, backend::Logits>> pieces;  // of each prefill
  int steps = 0;
  TokenId second = 0;
  float first_logit = 2.0f;

 private:
  static void read(backend::State& state, std::span<const TokenId> tokens) {
    auto& read_so_far = dynamic_cast<FakeState&>(state).tokens;
    read_so_far.insert(read_so_far.end(), tokens.begin(), tokens.end());
  }

  void write(const backend::State& state, std::span<float> logits) const {
    const std::size_t position = dynamic_cast<const FakeState&>(state).tokens.size();
    std::fill(logits.begin(), logits.end(), 0.0f);
    logits[static_cast<std::size_t>(second)] = 1.0f;
    logits[static_cast<std::size_t>(script_[std::min(position, script_.size() - 1)])] = first_logit;
  }

  model::Model model_;
  std::vector<TokenId> script_;
  std::size_t segment_;
};

}  // namespace xlstm::generation
