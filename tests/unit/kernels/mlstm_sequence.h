// One head's mLSTM inputs and state for tests, run by the oracle in double with the error that float32 may make.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/unit/kernels/bounds.h"
#include "tests/unit/kernels/samples.h"
#include "xlstm/kernels/reference/mlstm_step.h"

namespace xlstm::testing {

struct HeadState {
  HeadState(std::int64_t qk, std::int64_t v) : c(static_cast<std::size_t>(qk * v)), n(static_cast<std::size_t>(qk)) {}
  std::vector<float> c, n;
  float m = 0;
};

/// q, k [tokens, qk], v [tokens, v], gates [tokens].
struct HeadInputs {
  HeadInputs(std::int64_t num_tokens, std::int64_t qk_dim, std::int64_t v_dim, Samples& samples)
      : tokens(num_tokens),
        qk(qk_dim),
        v(v_dim),
        q(samples.floats(tokens * qk)),
        k(samples.floats(tokens * qk)),
        value(samples.floats(tokens * v)),
        i(samples.floats(tokens, -3, 3)),
        f(samples.floats(tokens, -1, 6)) {}
  std::int64_t tokens, qk, v;
  std::vector<float> q, k, value, i, f;
};

/// h [tokens, v], and the state after the last token, with what float32 may be off.
struct HeadOracle {
  std::vector<double> h, h_bound, c, c_bound, n, n_bound;
  double m = 0, m_bound = 0;
};

/// Bounds: every term of C, n, num and qn is off by at most `relative` of its size, so the sums are off by `relative`
/// of the sums of sizes, which a second run on |q|, |k|, |v| and |state| gives; h = num / den inherits both errors.
///
/// relative = (roundings + qk + 8 + 8 (1 + E)) u: `roundings` of one term of the state on its way here, qk of a product
/// with q, and exponents up to E in size, whose rounding errors e^x turns into relative ones. E counts the exponents
/// that matter: of a weight e^-20 and less nothing shows in float32.
inline HeadOracle run_oracle(const kernels::reference::MlstmDims<double>& d, const HeadInputs& x,
                             const HeadState& start, double roundings) {
  std::vector<double> q = widened(x.q), k = widened(x.k), value = widened(x.value);
  std::vector<double> q_size = q, k_size = k, v_size = value;
  for (auto* sizes : {&q_size, &k_size, &v_size}) {
    for (double& s : *sizes) s = std::abs(s);
  }
  HeadOracle o;
  o.h.resize(value.size());
  o.h_bound.resize(value.size());
  o.c = widened(start.c);
  o.n = widened(start.n);
  o.m = start.m;
  std::vector<double> c_size = o.c, n_size = o.n, h_size(static_cast<std::size_t>(x.v));
  for (double& s : c_size) s = std::abs(s);
  for (double& s : n_size) s = std::abs(s);
  double m_size = start.m, largest = std::abs(o.m), relative = 0;
  for (std::int64_t t = 0; t < x.tokens; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const double i = x.i[at], f = x.f[at];
    double* h = o.h.data() + t * x.v;
    const double den = mlstm_step(d, q.data() + t * x.qk, k.data() + t * x.qk, value.data() + t * x.v, i, f, o.c.data(),
                                  o.n.data(), o.m, h);
    const double den_size = mlstm_step(d, q_size.data() + t * x.qk, k_size.data() + t * x.qk, v_size.data() + t * x.v,
                                       i, f, c_size.data(), n_size.data(), m_size, h_size.data());
    if (std::abs(o.m) < 1e30) {  // the lowest float stands for -inf: its exponents are exact
      largest = std::max({largest, std::abs(o.m), std::min(std::abs(i), 20 + std::abs(o.m))});
    }
    relative = (roundings + static_cast<double>(x.qk) + 8 + 8 * (21 + largest)) * kUnit;
    for (std::int64_t b = 0; b < x.v; ++b) {
      const double num_size = h_size[static_cast<std::size_t>(b)] * den_size + std::abs(h[b]) * den_size;
      o.h_bound[static_cast<std::size_t>(t * x.v + b)] = (std::isfinite(den) ? relative * num_size / den : 0) + 1e-37;
    }
  }
  for (const double s : c_size) o.c_bound.push_back(relative * s + 1e-37);
  for (const double s : n_size) o.n_bound.push_back(relative * s + 1e-37);
  o.m_bound = (roundings + 4) * kUnit * largest;
  return o;
}

}  // namespace xlstm::testing
