#include "xlstm/backend/mlx/mlstm_cell.h"

#include <limits>

#include "xlstm/backend/mlx/layers.h"

namespace xlstm::backend::mlx {
namespace {

mx::array column(const mx::array& x) { return mx::expand_dims(x, -1); }
mx::array row(const mx::array& x) { return mx::expand_dims(x, -2); }

// num / (max(|qn|, exp(-m)) + eps); num [NH, T, DHV], qn and m [NH, T]. eps comes after the maximum.
mx::array normalised(const mx::array& num, const mx::array& qn, const mx::array& m, float eps) {
  return num / column(mx::maximum(mx::abs(qn), mx::exp(-m)) + mx::array(eps));
}

// The log weight of token j in the output of token t: b_t - b_j + i_j for j <= t (i_t exactly on the diagonal), else
// -inf.
mx::array decay_matrix(const mx::array& b, const mx::array& i) {
  const int length = b.shape(1);
  const mx::array past = mx::tri(length, mx::bool_);
  return mx::where(past, column(b) - row(b) + row(i), mx::array(-std::numeric_limits<float>::infinity()));
}

// The state after the chunk. a: log weight of each token in it; g_m: log weight of the old state. [NH, T], [NH, 1].
MlstmState chunk_state(const MlstmInputs& in, const MlstmState& old, const mx::array& a, const mx::array& g_m) {
  const mx::array m = mx::maximum(g_m, mx::max(a, 1, true));
  const mx::array keep = mx::exp(g_m - m);
  const mx::array k = in.k * column(mx::exp(a - m));
  return {column(keep) * old.c + mx::matmul(mx::swapaxes(k, 1, 2), in.v), keep * old.n + mx::sum(k, 1), m};
}

}  // namespace

MlstmOutput mlstm_chunkwise(const MlstmInputs& in, const MlstmState& old, float eps) {
  const mx::array lf = log_sigmoid(in.f);
  const mx::array b = mx::cumsum(lf, 1);
  const mx::array b_m = b + old.m;                      // log weight of the old state at each token
  const mx::array d = decay_matrix(b, in.i);            // [NH, T, T]
  const mx::array m = mx::maximum(b_m, mx::max(d, 2));  // [NH, T]
  const mx::array p = mx::matmul(in.q, mx::swapaxes(in.k, 1, 2)) * mx::exp(d - column(m));
  const mx::array q = in.q * column(mx::exp(b_m - m));
  const mx::array num = mx::matmul(q, old.c) + mx::matmul(p, in.v);
  const mx::array qn = mx::sum(q * row(old.n), 2) + mx::sum(p, 2);
  // A sum of its own and not b_T - b_t: nothing cancels.
  const mx::array a = mx::cumsum(lf, 1, /*reverse=*/true, /*inclusive=*/false) + in.i;
  const int length = b.shape(1);
  const mx::array g_m = mx::slice(b_m, {0, length - 1}, b_m.shape());
  return {normalised(num, qn, m, eps), chunk_state(in, old, a, g_m)};
}

MlstmOutput mlstm_step(const MlstmInputs& in, const MlstmState& old, float eps) {
  const mx::array lf_m = log_sigmoid(in.f) + old.m;  // [NH, 1], as all that follow of the gates
  const mx::array m = mx::maximum(lf_m, in.i);
  const mx::array f = mx::exp(lf_m - m);
  const mx::array k = in.k * column(mx::exp(in.i - m));  // [NH, 1, DHQK]
  const mx::array c = column(f) * old.c + mx::swapaxes(k, 1, 2) * in.v;
  const mx::array n = f * old.n + mx::squeeze(k, 1);
  const mx::array qn = mx::sum(in.q * row(n), 2);
  return {normalised(mx::matmul(in.q, c), qn, m, eps), {c, n, m}};
}

}  // namespace xlstm::backend::mlx
