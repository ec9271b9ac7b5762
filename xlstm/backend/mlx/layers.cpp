#include "xlstm/backend/mlx/layers.h"

#include <numbers>

namespace xlstm::backend::mlx {
namespace {

std::optional<mx::array> flat(const FloatArray& array, WeightUploader& uploader) {
  return uploader.optional_values(array, {static_cast<std::int64_t>(array.size())});
}

// A view, made once instead of in every call.
mx::array evaluated(mx::array array) {
  array.eval();
  return array;
}

mx::array transposed(const model::Matrix& matrix, WeightUploader& uploader) {
  return evaluated(mx::transpose(uploader.matrix(matrix)));
}

mx::array relu(const mx::array& x) { return mx::maximum(x, mx::array(0.0f)); }

mx::array selu(const mx::array& x) {
  const mx::array alpha(1.6732632423543772f), scale(1.0507009873554805f), zero(0.0f);  // arXiv:1706.02515
  return scale * mx::where(x < zero, alpha * mx::expm1(x), x);
}

mx::array gelu(const mx::array& x) {
  const mx::array half(0.5f), one(1.0f);
  return half * x * (one + mx::erf(x * mx::array(1.0f / std::numbers::sqrt2_v<float>)));
}

}  // namespace

mx::array log_sigmoid(const mx::array& x) { return mx::minimum(x, mx::array(0.0f)) - mx::log1p(mx::exp(-mx::abs(x))); }

mx::array silu(const mx::array& x) { return x * mx::sigmoid(x); }

mx::array soft_cap(const mx::array& x, const std::optional<float>& cap) {
  if (!cap) return x;
  const mx::array c(*cap);
  return c * mx::tanh(x / c);
}

mx::array activate(config::Activation activation, const mx::array& x) {
  switch (activation) {
    case config::Activation::gelu:
      return gelu(x);
    case config::Activation::relu:
      return relu(x);
    case config::Activation::relu_squared:
      return mx::square(relu(x));
    case config::Activation::silu:
      return silu(x);
    case config::Activation::selu:
      return selu(x);
    case config::Activation::tanh:
      return mx::tanh(x);
    case config::Activation::sigmoid:
      return mx::sigmoid(x);
    case config::Activation::identity:
      break;
  }
  return x;
}

mx::array rows(const mx::array& x, int first, int last) {
  mx::Shape from(x.ndim(), 0), to = x.shape();
  from[0] = first;
  to[0] = last;
  return mx::slice(x, from, to);
}

mx::array split_heads(const mx::array& x, int num_heads) {
  return mx::transpose(mx::reshape(x, {x.shape(0), num_heads, x.shape(1) / num_heads}), {1, 0, 2});
}

mx::array join_heads(const mx::array& x) {
  return mx::reshape(mx::transpose(x, {1, 0, 2}), {x.shape(1), x.shape(0) * x.shape(2)});
}

Linear::Linear(const model::Linear& linear, WeightUploader& uploader)
    : weight_(transposed(linear, uploader)), bias_(flat(linear.bias, uploader)) {}

mx::array Linear::operator()(const mx::array& x) const {
  const mx::array y = mx::matmul(x, weight_);
  return bias_ ? y + *bias_ : y;
}

HeadwiseLinear::HeadwiseLinear(const model::HeadwiseLinear& linear, WeightUploader& uploader)
    : weight_(evaluated(mx::transpose(
          uploader.values(linear.weight, {linear.num_blocks, linear.out_dim, linear.in_dim}), {0, 2, 1}))),
      bias_(flat(linear.bias, uploader)) {}

mx::array HeadwiseLinear::operator()(const mx::array& x) const {
  const mx::array y = join_heads(mx::matmul(split_heads(x, weight_.shape(0)), weight_));
  return bias_ ? y + *bias_ : y;
}

Norm::Norm(NormKind kind, const model::Norm& norm, float eps, WeightUploader& uploader)
    : kind_(kind), eps_(eps), weight_(flat(norm.weight, uploader)), bias_(flat(norm.bias, uploader)) {}

mx::array Norm::operator()(const mx::array& x) const {
  mx::array y = kind_ == NormKind::rms ? mx::fast::rms_norm(x, std::nullopt, eps_)
                                       : mx::fast::layer_norm(x, std::nullopt, std::nullopt, eps_);
  if (kind_ == NormKind::layer_per_head) y = mx::reshape(y, {x.shape(0), x.shape(1) * x.shape(2)});
  if (weight_) y = y * *weight_;
  return bias_ ? y + *bias_ : y;
}

CausalConv::CausalConv(const model::CausalConv& conv, WeightUploader& uploader)
    : weight_(
          evaluated(mx::contiguous(mx::transpose(uploader.values(conv.weight, {conv.channels, conv.kernel_size}))))),
      bias_(uploader.values(conv.bias, {conv.channels})) {}

CausalConv::Output CausalConv::operator()(const mx::array& x, const mx::array& ring) const {
  const int num_tokens = x.shape(0), channels = x.shape(1), kernel_size = weight_.shape(0);
  const mx::array inputs = mx::concatenate({mx::reshape(ring, {kernel_size, channels}), x}, 0);
  // Overlapping windows as a view: one product and one sum whatever the kernel size. The oldest input in the ring has
  // left the first window.
  const mx::array windows = mx::as_strided(inputs, {num_tokens, kernel_size, channels}, {channels, channels, 1},
                                           static_cast<std::size_t>(channels));
  const mx::array newest = rows(inputs, num_tokens, num_tokens + kernel_size);
  return {mx::sum(windows * weight_, 1) + bias_, mx::reshape(newest, {1, kernel_size, channels})};
}

}  // namespace xlstm::backend::mlx
