// The parts that blocks are made of: linear maps, norms, the causal convolution, pointwise functions.
// All arrays are float32; functions are pure and lazy, on the calling thread's default stream.
#pragma once

#include <optional>

#include "xlstm/backend/mlx/weights.h"
#include "xlstm/config/model_config.h"
#include "xlstm/model/model.h"

namespace xlstm::backend::mlx {

/// log(sigmoid(x)) without cancellation: min(x, 0) - log1p(exp(-|x|)).
mx::array log_sigmoid(const mx::array& x);
mx::array silu(const mx::array& x);
/// cap * tanh(x / cap); x itself without a cap.
mx::array soft_cap(const mx::array& x, const std::optional<float>& cap);
/// gelu is the exact erf form.
mx::array activate(config::Activation activation, const mx::array& x);
/// Rows [first, last) of axis 0.
mx::array rows(const mx::array& x, int first, int last);
/// [T, NH*DH] -> [NH, T, DH] and back.
mx::array split_heads(const mx::array& x, int num_heads);
mx::array join_heads(const mx::array& x);

/// y = W x + b. x [..., in] -> [..., out].
class Linear {
 public:
  Linear(const model::Linear& linear, WeightUploader& uploader);
  mx::array operator()(const mx::array& x) const;

 private:
  mx::array weight_;  // [in, out], a transposed view of the stored order
  std::optional<mx::array> bias_;
};

/// Block-diagonal linear map. x [T, blocks*in] -> [T, blocks*out].
class HeadwiseLinear {
 public:
  HeadwiseLinear(const model::HeadwiseLinear& linear, WeightUploader& uploader);
  mx::array operator()(const mx::array& x) const;

 private:
  mx::array weight_;  // [blocks, in, out]
  std::optional<mx::array> bias_;
};

enum class NormKind {
  rms,             // reference 1.5
  layer,           // biased variance; reference 3.2
  layer_per_head,  // x [T, NH, DH] -> [T, NH*DH]: each head by itself, then scale and shift of all; reference 1.5, 3.2
};

/// Normalises over the last axis, then scales and shifts.
class Norm {
 public:
  Norm(NormKind kind, const model::Norm& norm, float eps, WeightUploader& uploader);
  mx::array operator()(const mx::array& x) const;

 private:
  NormKind kind_;
  float eps_;
  std::optional<mx::array> weight_, bias_;
};

/// Causal depthwise convolution with the last KS inputs as state (reference 3.2, 3.7).
class CausalConv {
 public:
  struct Output {
    mx::array y;     // [T, C]
    mx::array ring;  // [1, KS, C]: the last KS inputs, oldest first
  };
  CausalConv(const model::CausalConv& conv, WeightUploader& uploader);
  Output operator()(const mx::array& x, const mx::array& ring) const;

 private:
  mx::array weight_;  // [KS, C]
  mx::array bias_;    // [C]
};

}  // namespace xlstm::backend::mlx
