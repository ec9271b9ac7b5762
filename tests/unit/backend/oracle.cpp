#include "tests/unit/backend/oracle.h"

#include <algorithm>
#include <variant>

#include "xlstm/kernels/reference/activations.h"
#include "xlstm/kernels/reference/causal_conv.h"
#include "xlstm/kernels/reference/matmul.h"
#include "xlstm/kernels/reference/mlstm_step.h"
#include "xlstm/kernels/reference/norms.h"
#include "xlstm/kernels/reference/slstm_step.h"

namespace xlstm::testing {
namespace {

namespace reference = kernels::reference;
using Vector = std::vector<double>;

Vector wide(const FloatArray& array) { return {array.data(), array.data() + array.size()}; }

Vector wide(const TensorView& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  widen_to_float32(tensor.dtype, tensor.data, values.size(), values.data());
  return {values.begin(), values.end()};
}

const double* data_or_null(const Vector& v) { return v.empty() ? nullptr : v.data(); }

Vector exact_linear(const model::Linear& layer, const Vector& x) {
  const Vector w = wide(layer.weight), bias = wide(layer.bias);
  Vector y(static_cast<std::size_t>(layer.out_dim()));
  reference::matvec(w.data(), layer.out_dim(), layer.in_dim(), x.data(), data_or_null(bias), y.data());
  return y;
}

Vector headwise(const model::HeadwiseLinear& layer, const Vector& x) {
  const Vector w = wide(layer.weight), bias = wide(layer.bias);
  Vector y(static_cast<std::size_t>(layer.num_blocks * layer.out_dim));
  reference::headwise(w.data(), layer.num_blocks, layer.out_dim, layer.in_dim, x.data(), data_or_null(bias), y.data());
  return y;
}

Vector rms_norm(const model::Norm& norm, const Vector& x, double eps) {
  const Vector w = wide(norm.weight), bias = wide(norm.bias);
  Vector y(x.size());
  reference::rms_norm(x.data(), static_cast<std::int64_t>(x.size()), data_or_null(w), data_or_null(bias), eps,
                      y.data());
  return y;
}

Vector group_norm(const model::Norm& norm, const Vector& x, std::int64_t groups, double eps) {
  const Vector w = wide(norm.weight), bias = wide(norm.bias);
  Vector y(x.size());
  reference::group_norm(x.data(), static_cast<std::int64_t>(x.size()), groups, data_or_null(w), data_or_null(bias), eps,
                        y.data());
  return y;
}

/// silu(conv(x)).
Vector convolved(const model::CausalConv& conv, const Vector& x, double* history) {
  const Vector w = wide(conv.weight), bias = wide(conv.bias);
  Vector y(x.size());
  reference::causal_conv_step(w.data(), bias.data(), conv.channels, conv.kernel_size, x.data(), history, y.data());
  for (double& value : y) value = reference::silu(value);
  return y;
}

void add(Vector& x, const Vector& y) {
  for (std::size_t j = 0; j < x.size(); ++j) x[j] += y[j];
}

void soft_cap(Vector& x, std::optional<float> cap) {
  if (!cap) return;
  for (double& value : x) value = reference::soft_cap<double>(value, *cap);
}

double activate(config::Activation activation, double x) {
  switch (activation) {
    case config::Activation::gelu:
      return reference::gelu(x);
    case config::Activation::relu:
      return reference::relu(x);
    case config::Activation::relu_squared:
      return reference::relu(x) * reference::relu(x);
    case config::Activation::silu:
      return reference::silu(x);
    case config::Activation::selu:
      return reference::selu(x);
    case config::Activation::tanh:
      return std::tanh(x);
    case config::Activation::sigmoid:
      return reference::sigmoid(x);
    case config::Activation::identity:
      break;
  }
  return x;
}

/// All heads of the mLSTM cell; c, n, m are the block's state tensors.
Vector mlstm_heads(const reference::MlstmDims<double>& d, std::int64_t heads, const Vector& q, const Vector& k,
                   const Vector& v, const Vector& i, const Vector& f, double* c, double* n, double* m) {
  Vector h(v.size());
  for (std::int64_t head = 0; head < heads; ++head) {
    const auto at = static_cast<std::size_t>(head);
    reference::mlstm_step(d, q.data() + head * d.qk, k.data() + head * d.qk, v.data() + head * d.v, i[at], f[at],
                          c + head * d.qk * d.v, n + head * d.qk, m[head], h.data() + head * d.v);
  }
  return h;
}

}  // namespace

double* Oracle::tensor(std::size_t block, std::size_t index, OracleState& state) const {
  const config::StateSpec& spec = model_.state_spec;
  return state.data() + spec.tensors[spec.first_tensor[block] + index].offset;
}

Vector Oracle::linear(const model::Linear& layer, const Vector& x) const {
  if (!rounding_) return exact_linear(layer, x);
  Vector rounded = x;
  rounding_(layer, rounded);
  return exact_linear(layer, rounded);
}

void Oracle::run(const model::LargeBlock& b, std::size_t index, OracleState& state, Vector& x) const {
  const config::ModelConfig& c = model_.config;
  const Vector a = rms_norm(b.norm_mlstm, x, c.norm_eps);
  Vector i = exact_linear(b.igate, a), f = exact_linear(b.fgate, a);
  soft_cap(i, c.gate_soft_cap);
  soft_cap(f, c.gate_soft_cap);
  const auto dims = reference::scaled_queries<double>(c.qk_head_dim(), c.v_head_dim(), c.mlstm_eps);
  const Vector h = mlstm_heads(dims, c.num_heads, linear(b.q, a), linear(b.k, a), linear(b.v, a), i, f,
                               tensor(index, 0, state), tensor(index, 1, state), tensor(index, 2, state));
  Vector g = group_norm(b.multihead_norm, h, c.num_heads, c.norm_eps);
  const Vector o = linear(b.ogate, a);
  for (std::size_t j = 0; j < g.size(); ++j) g[j] *= reference::sigmoid(o[j]);
  add(x, linear(b.out_proj, g));

  const Vector u = rms_norm(b.norm_ffn, x, c.norm_eps), gate = linear(b.ffn_gate, u);
  Vector hidden = linear(b.ffn_up, u);
  for (std::size_t j = 0; j < hidden.size(); ++j) hidden[j] *= reference::silu(gate[j]);
  add(x, linear(b.ffn_down, hidden));
}

void Oracle::run(const model::ResearchMlstmBlock& b, std::size_t index, OracleState& state, Vector& x) const {
  const config::ModelConfig& c = model_.config;
  const Vector up = linear(b.proj_up, group_norm(b.norm, x, 1, c.norm_eps));
  const auto inner = static_cast<std::ptrdiff_t>(c.v_dim);
  const Vector p(up.begin(), up.begin() + inner), z(up.begin() + inner, up.end());
  const Vector conv = convolved(b.conv, p, tensor(index, 3, state));
  const Vector q = headwise(b.q, conv), k = headwise(b.k, conv), v = headwise(b.v, p);
  Vector qkv = q;
  qkv.insert(qkv.end(), k.begin(), k.end());
  qkv.insert(qkv.end(), v.begin(), v.end());
  const auto dims = reference::scaled_keys<double>(c.qk_head_dim(), c.v_head_dim(), c.mlstm_eps);
  const Vector h = mlstm_heads(dims, c.num_heads, q, k, v, exact_linear(b.igate, qkv), exact_linear(b.fgate, qkv),
                               tensor(index, 0, state), tensor(index, 1, state), tensor(index, 2, state));
  Vector r = group_norm(b.outnorm, h, c.num_heads, c.norm_eps);
  for (std::size_t j = 0; j < r.size(); ++j) r[j] = (r[j] + b.learnable_skip[j] * conv[j]) * reference::silu(z[j]);
  add(x, linear(b.proj_down, r));
}

void Oracle::run(const model::ResearchSlstmBlock& b, std::size_t index, OracleState& state, Vector& x) const {
  const config::ModelConfig& c = model_.config;
  const std::int64_t dim = c.embedding_dim, heads = c.slstm_num_heads, width = dim / heads;
  const Vector a = group_norm(b.norm, x, 1, c.norm_eps);
  const Vector conv = b.conv ? convolved(*b.conv, a, tensor(index, 1, state)) : a;
  const Vector gates[] = {headwise(b.igate, conv), headwise(b.fgate, conv), headwise(b.zgate, a), headwise(b.ogate, a)};
  const Vector recurrent = wide(b.recurrent), all_bias = wide(b.bias);
  double* const y = tensor(index, 0, state);
  for (std::int64_t head = 0; head < heads; ++head) {
    Vector raw, bias;  // [4, width] of this head
    for (std::int64_t g = 0; g < 4; ++g) {
      const double* const gate = gates[g].data() + head * width;
      const double* const gate_bias = all_bias.data() + g * dim + head * width;
      raw.insert(raw.end(), gate, gate + width);
      bias.insert(bias.end(), gate_bias, gate_bias + width);
    }
    const double* const r = recurrent.data() + head * 4 * width * width;
    double* const h = y + head * width;
    if (c.slstm_function == config::SlstmFunction::slstm) {
      reference::slstm_step(width, raw.data(), r, bias.data(), h, h + dim, h + 2 * dim, h + 3 * dim);
    } else {
      reference::lstm_step(width, raw.data(), r, bias.data(), h, h + dim);
    }
  }
  add(x, group_norm(b.group_norm, Vector(y, y + dim), heads, c.norm_eps));
  if (!b.ffn) return;
  const Vector up = linear(b.ffn->up, group_norm(b.ffn->norm, x, 1, c.norm_eps));
  Vector hidden(up.begin() + static_cast<std::ptrdiff_t>(up.size() / 2), up.end());
  for (std::size_t j = 0; j < hidden.size(); ++j) hidden[j] *= activate(b.ffn->activation, up[j]);
  add(x, linear(b.ffn->down, hidden));
}

std::vector<double> Oracle::step(TokenId token, OracleState& state) const {
  const config::ModelConfig& c = model_.config;
  const Vector embedding = wide(model_.embedding.weight);
  const auto first = embedding.begin() + token * c.embedding_dim;
  Vector x(first, first + c.embedding_dim);
  for (std::size_t index = 0; index < model_.blocks.size(); ++index) {
    std::visit([&](const auto& block) { run(block, index, state, x); }, model_.blocks[index]);
  }
  if (model_.out_norm) {
    const bool large = c.architecture == config::Architecture::large;
    x = large ? rms_norm(*model_.out_norm, x, c.norm_eps) : group_norm(*model_.out_norm, x, 1, c.norm_eps);
  }
  Vector logits = linear(model_.lm_head, x);
  soft_cap(logits, c.output_logit_soft_cap);
  return logits;
}

}  // namespace xlstm::testing
