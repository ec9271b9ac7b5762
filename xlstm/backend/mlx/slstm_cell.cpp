#include "xlstm/backend/mlx/slstm_cell.h"

#include <vector>

#include "xlstm/backend/mlx/layers.h"

namespace xlstm::backend::mlx {
namespace {

// One token. gates: i, f, z, o pre-activations; state: y, c, n, m; all [NH, 1, DH]. Returns the new state.
std::vector<mx::array> slstm_step(const std::vector<mx::array>& gates, const std::vector<mx::array>& state) {
  const mx::array &i = gates[0], &f = gates[1], &z = gates[2], &o = gates[3];
  const mx::array &c = state[1], &n = state[2], &m = state[3];
  const mx::array zero(0.0f), one(1.0f);
  const mx::array lf_m = m + log_sigmoid(f);
  // n = 0 marks a fresh element; asked of each by itself, as the reference's CUDA cell does.
  const mx::array m_new = mx::where(mx::equal(n, zero), i, mx::maximum(i, lf_m));
  const mx::array i_act = mx::minimum(one, mx::exp(i - m_new));
  const mx::array f_act = mx::minimum(one, mx::exp(lf_m - m_new));
  const mx::array c_new = f_act * c + i_act * mx::tanh(z);
  const mx::array n_new = f_act * n + i_act;  // at least 1 from the first step on: no eps
  return {mx::sigmoid(o) * c_new / n_new, c_new, n_new, m_new};
}

std::vector<mx::array> lstm_step(const std::vector<mx::array>& gates, const std::vector<mx::array>& state) {
  const mx::array c = mx::sigmoid(gates[1]) * state[1] + mx::sigmoid(gates[0]) * mx::tanh(gates[2]);
  return {mx::sigmoid(gates[3]) * mx::tanh(c), c};
}

}  // namespace

SlstmOutput slstm_scan(config::SlstmFunction function, const mx::array& raw, const mx::array& recurrent,
                       const mx::array& state) {
  const int num_tokens = raw.shape(0), num_heads = raw.shape(1), head_dim = recurrent.shape(1);
  std::vector<mx::array> current;
  for (const mx::array& part : mx::split(state, state.shape(0), 0)) {
    current.push_back(mx::reshape(part, {num_heads, 1, head_dim}));
  }
  std::vector<mx::array> outputs;
  for (const mx::array& token : mx::split(raw, num_tokens, 0)) {
    const mx::array gates = mx::squeeze(token, 0) + mx::matmul(current[0], recurrent);
    const std::vector<mx::array> parts = mx::split(gates, 4, 2);
    current = function == config::SlstmFunction::slstm ? slstm_step(parts, current) : lstm_step(parts, current);
    outputs.push_back(current[0]);
  }
  const mx::array y = mx::reshape(mx::stack(outputs, 0), {num_tokens, num_heads, head_dim});
  return {y, mx::reshape(mx::stack(current, 0), state.shape())};
}

}  // namespace xlstm::backend::mlx
