// What the network is: its blocks and their weights, in the order of evaluation. Not how it is run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "xlstm/base/float_array.h"
#include "xlstm/base/tensor_view.h"
#include "xlstm/config/model_config.h"
#include "xlstm/config/state_spec.h"

namespace xlstm::model {

/// What a quantised weight is read with, in MLX's affine format: w[r, c] = scales[r, g] * q[r, c] + biases[r, g] with
/// g = c / group_size. scales and biases: [rows, cols / group_size], a weight dtype, both the same.
struct AffineGroups {
  int bits = 0;                 // of a q: 4 or 8
  std::int64_t group_size = 0;  // 32, 64 or 128
  TensorView scales;
  TensorView biases;
};

/// [rows, cols], used where it lies. Plain: weight [rows, cols] in a weight dtype. Quantised: weight is uint32
/// [rows, cols * bits / 32], the q of the first column in the lowest bits.
struct Matrix {
  TensorView weight;
  std::optional<AffineGroups> groups;

  std::int64_t rows() const { return weight.shape.at(0); }
  std::int64_t cols() const { return groups ? weight.shape.at(1) * 32 / groups->bits : weight.shape.at(1); }
  std::int64_t size() const { return rows() * cols(); }
  /// Bytes of all that is read.
  std::size_t nbytes() const {
    return weight.nbytes() + (groups ? groups->scales.nbytes() + groups->biases.nbytes() : 0);
  }
};

/// y = W x + b with W [out, in]. bias [out] or empty.
struct Linear : Matrix {
  FloatArray bias;
  std::int64_t out_dim() const { return rows(); }
  std::int64_t in_dim() const { return cols(); }
};

/// Scale and shift of a norm. The effective scale: research files store weight - 1, here it is the sum.
/// An empty weight means scale 1.
struct Norm {
  FloatArray weight;
  FloatArray bias;
};

/// Block-diagonal linear layer: weight [blocks, out, in] float32, bias [blocks*out] or empty.
struct HeadwiseLinear {
  FloatArray weight;
  FloatArray bias;
  std::int64_t num_blocks = 0;
  std::int64_t out_dim = 0;  // of one block
  std::int64_t in_dim = 0;   // of one block
};

/// Causal depthwise convolution: weight [channels, kernel_size] (last tap = current token), bias [channels].
struct CausalConv {
  FloatArray weight;
  FloatArray bias;
  std::int64_t channels = 0;
  std::int64_t kernel_size = 0;
};

/// Block of xLSTM-large (reference 0.1, 1.3). Fused tensors arrive here as views of their rows.
struct LargeBlock {
  Norm norm_mlstm;
  Linear q, k, v, ogate;
  Linear igate, fgate;  // bias always present
  Norm multihead_norm;  // weight [VD], head-major; LayerNorm per head
  Linear out_proj;
  Norm norm_ffn;
  Linear ffn_gate, ffn_up, ffn_down;  // ffn_gate is the branch that gets SiLU
};

/// mLSTM block of the research layout (reference 3.3).
struct ResearchMlstmBlock {
  Norm norm;
  Linear proj_up;  // [2*Di, D]: first Di the mLSTM branch, last Di the output gate z
  CausalConv conv;
  HeadwiseLinear q, k, v;  // in file units; the runner scales k by 1/sqrt(DH)
  Linear igate, fgate;     // [NH, 3*Di], input order q, k, v
  Norm outnorm;
  FloatArray learnable_skip;  // [Di]
  Linear proj_down;
};

/// Gated FFN of an sLSTM block: [g, u] = up x; down(act(g) * u).
struct GatedFfn {
  Norm norm;
  Linear up;  // [2F, D]
  Linear down;
  config::Activation activation = config::Activation::gelu;
};

/// sLSTM block of the research layout (reference 3.4). The swapped names of the files (Q19) are resolved here:
/// `igate` holds the tensor that feeds i. Gate order everywhere i, f, z, o.
struct ResearchSlstmBlock {
  Norm norm;
  std::optional<CausalConv> conv;
  HeadwiseLinear igate, fgate, zgate, ogate;  // NH blocks of [DH, DH]
  FloatArray recurrent;                       // [NH, 4, DH(out), DH(in)] whatever the file's layout was
  FloatArray bias;                            // [4, NH, DH]
  Norm group_norm;                            // empty weight: scale 1
  std::optional<GatedFfn> ffn;
};

using Block = std::variant<LargeBlock, ResearchMlstmBlock, ResearchSlstmBlock>;

/// Weights that are stored in one way. A quantised matrix counts as one tensor, its scales and biases with its bytes.
struct WeightKind {
  DType dtype = DType::float32;  // uint32 when quantised
  int bits = 0;                  // 0: not quantised
  std::int64_t group_size = 0;
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;
  std::size_t bytes = 0;

  /// "bfloat16", "int4", ...
  std::string name() const;
};

/// A whole network, immutable after loading and shared by every backend and thread.
struct Model {
  config::ModelConfig config;
  config::StateSpec state_spec;
  Matrix embedding;  // [V, D]
  std::vector<Block> blocks;
  std::optional<Norm> out_norm;
  Linear lm_head;                       // [V, D]; the embedding when tied
  std::shared_ptr<const void> storage;  // keeps mapped files alive

  std::int64_t num_parameters = 0;       // a tied head counts once, scales and biases of groups do not count
  std::size_t weight_bytes = 0;          // of all stored tensors
  std::size_t mapped_bytes = 0;          // used where they lie in their file
  std::size_t copied_bytes = 0;          // as they are stored, in memory of their own
  std::size_t repacked_bytes = 0;        // of float32 values made of stored ones and used in their place
  DType dtype = DType::float32;          // of the largest tensor that is not quantised
  std::vector<WeightKind> weight_kinds;  // most bytes first
};

}  // namespace xlstm::model
