// What tests of the CPU backend share: one backend and what is asked of it, and how its answers are compared with the
// network in double.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tests/unit/backend/oracle.h"
#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/base/random.h"

namespace xlstm::testing {

using Tokens = std::vector<TokenId>;
using Floats = std::vector<float>;

// What float32 may differ from the truth by: logits absolutely; a state tensor by this times its largest value.
inline constexpr double kLogitBound = 2e-4, kStateBound = 1e-4;

inline Tokens random_tokens(std::size_t count, std::int64_t vocab, std::uint64_t seed) {
  Tokens tokens(count);
  for (std::size_t t = 0; t < count; ++t) {
    tokens[t] = static_cast<TokenId>(uniform({seed, t}) * static_cast<double>(vocab));
  }
  return tokens;
}

/// One backend and what is asked of it, shortly.
class Runner {
 public:
  explicit Runner(std::shared_ptr<const model::Model> model, int threads = 1, DType state_dtype = DType::float32,
                  std::optional<DType> activation_dtype = std::nullopt)
      : backend_(backend::make_cpu_backend(std::move(model), {threads, state_dtype, activation_dtype})) {}

  std::unique_ptr<backend::State> fresh() { return backend_->make_state(); }
  std::size_t vocab() const { return static_cast<std::size_t>(backend_->model().config.vocab_size); }
  backend::Backend& backend() { return *backend_; }

  Floats prefill(std::span<const TokenId> tokens, backend::State& state,
                 backend::Logits wanted = backend::Logits::all) {
    const std::size_t positions = wanted == backend::Logits::all ? tokens.size() : 1;
    Floats logits(wanted == backend::Logits::none ? 0 : vocab() * positions);
    const backend::PrefillRow row = {tokens, &state, wanted, logits};
    backend_->prefill({&row, 1});
    return logits;
  }
  Floats decode(TokenId token, backend::State& state) {
    Floats logits(vocab());
    const backend::DecodeRow row = {token, &state, logits};
    backend_->decode({&row, 1});
    return logits;
  }
  Floats slot(const backend::State& state) const {
    Floats values(static_cast<std::size_t>(backend_->model().state_spec.slot_size));
    state.to_host(values);
    return values;
  }

 private:
  std::unique_ptr<backend::Backend> backend_;
};

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

/// The oracle's run over a stream: logits [T, V] and the state after every number of tokens.
struct Truth {
  std::vector<double> logits;
  std::vector<OracleState> states;
};

inline Truth run_oracle(const Oracle& oracle, const Tokens& tokens) {
  Truth truth = {{}, {oracle.fresh()}};
  OracleState state = oracle.fresh();
  for (const TokenId token : tokens) {
    const std::vector<double> logits = oracle.step(token, state);
    truth.logits.insert(truth.logits.end(), logits.begin(), logits.end());
    truth.states.push_back(state);
  }
  return truth;
}

/// What a run may differ by beyond the bounds of float32: its logits, and each tensor of its state.
struct Slack {
  double logits = 0;
  std::vector<double> state;  // empty: 0
};

/// `logits` are those of positions [first, ...).
inline void expect_logits(const Floats& logits, const Truth& truth, std::size_t first_value, const Slack& slack = {}) {
  ASSERT_LE(first_value + logits.size(), truth.logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double expected = truth.logits[first_value + i];
    ASSERT_TRUE(std::abs(logits[i] - expected) <= kLogitBound + slack.logits)
        << "logit " << i << " " << logits[i] << " " << expected;
  }
}

inline void expect_state(const model::Model& model, const Floats& slot, const OracleState& expected,
                         const Slack& slack = {}) {
  for (std::size_t t = 0; t < model.state_spec.tensors.size(); ++t) {
    const config::StateTensor& tensor = model.state_spec.tensors[t];
    const auto first = static_cast<std::size_t>(tensor.offset), size = static_cast<std::size_t>(tensor.size);
    double largest = 0;
    for (std::size_t i = first; i < first + size; ++i) largest = std::max(largest, std::abs(expected[i]));
    const bool is_m = tensor.name.ends_with(".m") || tensor.name.ends_with("mlstm_state.2");
    const double bound = (is_m ? kStateBound : kStateBound * largest) + (slack.state.empty() ? 0 : slack.state[t]);
    for (std::size_t i = first; i < first + size; ++i) {
      ASSERT_TRUE(std::abs(slot[i] - expected[i]) <= bound)
          << tensor.name << "[" << i - first << "] " << slot[i] << " " << expected[i];
    }
  }
}

}  // namespace xlstm::testing
