// What the laws are tried on: both models of the project on the CPU backend, with real text and random choices.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/parity/compare.h"
#include "xlstm/backend/backend.h"
#include "xlstm/base/random.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"

namespace xlstm::property {

constexpr double kLogitBound = 2e-4;   // absolute
constexpr double kStateFactor = 1e-4;  // max|a-b| <= factor * max|b| of each tensor

/// Random choices from one seed: XLSTM_TEST_SEED, or always the same.
class Choices {
 public:
  Choices() {
    const char* text = std::getenv("XLSTM_TEST_SEED");
    key_.seed = text == nullptr ? 20240507 : std::strtoull(text, nullptr, 10);
  }
  std::uint64_t seed() const { return key_.seed; }
  /// Uniform in [low, high].
  std::size_t between(std::size_t low, std::size_t high) {
    ++key_.step;
    return low + std::min(high - low, static_cast<std::size_t>(uniform(key_) * static_cast<double>(high - low + 1)));
  }

 private:
  RngKey key_;
};

/// A state's whole slot.
inline std::vector<float> slot_of(const backend::State& state, const model::Model& model) {
  std::vector<float> slot(static_cast<std::size_t>(model.state_spec.slot_size));
  state.to_host(slot);
  return slot;
}

/// A sequence that has been read: the state after it and the logits of its last position.
struct Read {
  std::unique_ptr<backend::State> state;
  std::vector<float> logits;
};

/// A model of the project, and what its states keep matrix memories in.
struct Subject {
  const char* model;  // a directory
  DType state_dtype = DType::float32;
};

class ModelLaw : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    const auto files = checkpoint::open_directory(std::filesystem::path(XLSTM_SOURCE_DIR) / GetParam().model);
    model_ = model::build_model(checkpoint::read_checkpoint(*files));
    backend_ = make_backend(2);
    trace_ = std::make_unique<testing::ScopedTrace>(__FILE__, __LINE__, "seed " + std::to_string(choices_.seed()));
  }

  std::unique_ptr<backend::Backend> make_backend(int num_threads) const { return make_backend(model_, num_threads); }
  static std::unique_ptr<backend::Backend> make_backend(std::shared_ptr<const model::Model> model, int num_threads) {
    backend::Options options;
    options.num_threads = num_threads;
    options.state_dtype = GetParam().state_dtype;
    return backend::make_backend("cpu", std::move(model), options);
  }

  std::size_t vocab() const { return static_cast<std::size_t>(model_->config.vocab_size); }

  /// Ids of a piece of English text as bytes: in every vocabulary, and far from random.
  std::vector<TokenId> text(std::size_t length) {
    static const std::string kText = [] {
      std::stringstream all;
      all << std::ifstream(std::filesystem::path(XLSTM_SOURCE_DIR) / "tests/data/text/val.txt").rdbuf();
      return all.str();
    }();
    const std::size_t begin = choices_.between(0, kText.size() - length);
    std::vector<TokenId> ids(length);
    for (std::size_t i = 0; i < length; ++i) ids[i] = static_cast<unsigned char>(kText[begin + i]);
    return ids;
  }

  void prefill(backend::Backend& backend, Read& read, std::span<const TokenId> tokens) const {
    read.logits.resize(vocab());
    const backend::PrefillRow row{tokens, read.state.get(), backend::Logits::last, read.logits};
    backend.prefill(std::span(&row, 1));
  }
  void decode(backend::Backend& backend, Read& read, std::span<const TokenId> tokens) const {
    read.logits.resize(vocab());
    for (const TokenId token : tokens) {
      const backend::DecodeRow row{token, read.state.get(), read.logits};
      backend.decode(std::span(&row, 1));
    }
  }
  Read fresh(backend::Backend& backend) const { return {backend.make_state(), {}}; }
  Read prefilled(backend::Backend& backend, std::span<const TokenId> tokens) const {
    Read read = fresh(backend);
    prefill(backend, read, tokens);
    return read;
  }

  void expect_close(const Read& actual, const Read& expected) const {
    EXPECT_TRUE(parity::within(actual.logits, expected.logits, kLogitBound));
    const std::vector<float> a = slot_of(*actual.state, *model_), b = slot_of(*expected.state, *model_);
    for (const config::StateTensor& tensor : model_->state_spec.tensors) {
      const auto offset = static_cast<std::size_t>(tensor.offset), size = static_cast<std::size_t>(tensor.size);
      EXPECT_TRUE(
          parity::within_relative(std::span(a).subspan(offset, size), std::span(b).subspan(offset, size), kStateFactor))
          << tensor.name;
    }
  }
  void expect_same_bits(const Read& actual, const Read& expected) const {
    EXPECT_TRUE(parity::same_bits(actual.logits, expected.logits));
    EXPECT_TRUE(parity::same_bits(slot_of(*actual.state, *model_), slot_of(*expected.state, *model_)));
  }

  std::shared_ptr<const model::Model> model_;
  std::unique_ptr<backend::Backend> backend_;
  Choices choices_;

 private:
  std::unique_ptr<testing::ScopedTrace> trace_;
};

inline std::string subject_name(const testing::TestParamInfo<Subject>& info) {
  const bool is_bard = std::string(info.param.model).find("bard") != std::string::npos;
  const std::string state = info.param.state_dtype == DType::float32 ? "" : "_bfloat16_state";
  return (is_bard ? "bard_8m" : "bytes_mixed") + state;
}

#define XLSTM_FOR_BOTH_MODELS(suite)                                                                 \
  INSTANTIATE_TEST_SUITE_P(Models, suite,                                                            \
                           testing::Values(xlstm::property::Subject{"models/bard-8m"},               \
                                           xlstm::property::Subject{"tests/data/bytes-mixed-1.5m"}), \
                           xlstm::property::subject_name)

/// Laws of bits hold whatever the state is kept in.
#define XLSTM_FOR_BOTH_MODELS_AND_STATES(suite)                                                                       \
  XLSTM_FOR_BOTH_MODELS(suite);                                                                                       \
  INSTANTIATE_TEST_SUITE_P(Bfloat16States, suite,                                                                     \
                           testing::Values(xlstm::property::Subject{"models/bard-8m", DType::bfloat16},               \
                                           xlstm::property::Subject{"tests/data/bytes-mixed-1.5m", DType::bfloat16}), \
                           xlstm::property::subject_name)

}  // namespace xlstm::property
