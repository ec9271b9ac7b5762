// The network in double, one token at a time, built from the scalar oracles of xlstm/kernels/reference: what every
// backend has to agree with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/model/model.h"

namespace xlstm::testing {

/// The state of one sequence as config::StateSpec lays it out.
using OracleState = std::vector<double>;

class Oracle {
 public:
  /// What is done to the input of a product with `weights`; the mLSTM gates get theirs as it is.
  using Rounding = std::function<void(const model::Matrix& weights, std::vector<double>& x)>;

  explicit Oracle(const model::Model& model, Rounding rounding = {}) : model_(model), rounding_(std::move(rounding)) {}

  OracleState fresh() const { return OracleState(static_cast<std::size_t>(model_.state_spec.slot_size)); }
  /// Logits [V] after `token`; the state is advanced.
  std::vector<double> step(TokenId token, OracleState& state) const;

 private:
  void run(const model::LargeBlock& block, std::size_t index, OracleState& state, std::vector<double>& x) const;
  void run(const model::ResearchMlstmBlock& block, std::size_t index, OracleState& state, std::vector<double>& x) const;
  void run(const model::ResearchSlstmBlock& block, std::size_t index, OracleState& state, std::vector<double>& x) const;
  double* tensor(std::size_t block, std::size_t index, OracleState& state) const;

  std::vector<double> linear(const model::Linear& layer, const std::vector<double>& x) const;

  const model::Model& model_;
  Rounding rounding_;
};

}  // namespace xlstm::testing
