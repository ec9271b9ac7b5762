// A model whose logits depend on every id that the state has read, and on how prefill was cut: whoever mixes up two
// states, reads an id twice or cuts elsewhere gets other text.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/base/random.h"

namespace xlstm::scheduler {

class HashState final : public backend::State {
 public:
  HashState() { ++alive; }
  HashState(const HashState& other) : State(other), hash(other.hash) { ++alive; }
  HashState& operator=(const HashState& other) = default;
  ~HashState() override { --alive; }
  std::unique_ptr<backend::State> clone() const override { return std::make_unique<HashState>(*this); }
  void to_host(std::span<float> slot) const override {
    for (std::size_t i = 0; i < kSlot; ++i) slot[i] = static_cast<float>(hash >> (16 * i) & 0xffff);
  }
  void from_host(std::span<const float> slot) override {
    hash = 0;
    for (std::size_t i = 0; i < kSlot; ++i) hash |= static_cast<std::uint64_t>(slot[i]) << (16 * i);
  }
  void read(std::uint64_t value) {
    hash = philox4x32(
        {std::uint32_t(hash), std::uint32_t(hash >> 32), std::uint32_t(value), std::uint32_t(value >> 32)}, {1, 2})[0];
  }

  static constexpr std::size_t kSlot = 4;  // floats
  std::uint64_t hash = 0;
  inline static std::atomic<int> alive = 0;
};

class HashBackend final : public backend::Backend {
 public:
  HashBackend(std::int64_t vocab_size, std::size_t segment) : segment_(segment) {
    model_.config.vocab_size = vocab_size;
    model_.state_spec.slot_size = HashState::kSlot;
    model_.embedding.weight.shape = {vocab_size, 1};
    model_.lm_head.weight.shape = {vocab_size, 1};
  }

  std::string_view name() const noexcept override { return "hash"; }
  const model::Model& model() const noexcept override { return model_; }
  int num_threads() const noexcept override { return 1; }
  std::unique_ptr<backend::State> make_state() override { return std::make_unique<HashState>(); }
  std::size_t prefill_segment() const noexcept override { return segment_; }

  void prefill(std::span<const backend::PrefillRow> rows) override {
    backend::check_rows(model_, rows);
    for (const backend::PrefillRow& row : rows) {
      auto& state = dynamic_cast<HashState&>(*row.state);
      prefilled.push_back(row.tokens.size());
      std::size_t position = 0;
      for (std::size_t first = 0; first < row.tokens.size(); first += segment_) {
        state.read(std::uint64_t{1} << 40);  // a segment begins
        for (const TokenId id : row.tokens.subspan(first, std::min(segment_, row.tokens.size() - first))) {
          if (id == poison) throw std::runtime_error("poison");
          state.read(static_cast<std::uint64_t>(id));
          if (row.wanted == backend::Logits::all) write(state, row.logits.subspan(position * vocab(), vocab()));
          ++position;
        }
      }
      if (row.wanted == backend::Logits::last) write(state, row.logits);
    }
  }

  void decode(std::span<const backend::DecodeRow> rows) override {
    backend::check_rows(model_, rows);
    if (on_decode) on_decode(rows.size());
    decoded.push_back(rows.size());
    for (const backend::DecodeRow& row : rows) {
      auto& state = dynamic_cast<HashState&>(*row.state);
      state.read(static_cast<std::uint64_t>(row.token));
      write(state, row.logits);
    }
  }

  std::vector<std::size_t> prefilled, decoded;  // tokens and rows of each call
  TokenId poison = -1;                          // an id that prefill throws at
  std::function<void(std::size_t rows)> on_decode;

 private:
  std::size_t vocab() const { return static_cast<std::size_t>(model_.config.vocab_size); }
  static void write(const HashState& state, std::span<float> logits) {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(4 * uniform(RngKey{state.hash, 7}, i));
    }
  }

  model::Model model_;
  std::size_t segment_;
};

}  // namespace xlstm::scheduler
