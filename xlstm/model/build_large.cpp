#include <string>
#include <utility>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/model/build_blocks.h"

namespace xlstm::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::Layout;

// Two or more layers that one file tensor holds one below the other.
class FusedLinear {
 public:
  FusedLinear(TensorBinder& binder, Matrix matrix, const std::string& bias)
      : binder_(binder), matrix_(std::move(matrix)) {
    if (!bias.empty()) bias_ = &binder.take(bias, {matrix_.rows()});
  }

  const TensorView& weight() const { return matrix_.weight; }
  std::int64_t rows() const { return matrix_.rows(); }

  Linear next(std::int64_t count) {
    Linear layer;
    static_cast<Matrix&>(layer) = slice_rows(matrix_, used_, count);
    if (bias_) layer.bias = binder_.widen(slice_rows(*bias_, used_, count));
    used_ += count;
    return layer;
  }

 private:
  TensorBinder& binder_;
  Matrix matrix_;
  const TensorView* bias_ = nullptr;
  std::int64_t used_ = 0;
};

class LargeBuilder {
 public:
  LargeBuilder(const Checkpoint& checkpoint, TensorBinder& binder, Model& model)
      : checkpoint_(checkpoint), binder_(binder), model_(model), config_(model.config) {}

  void build() {
    const bool package = checkpoint_.layout == Layout::package;
    const std::string embedding = package ? "embedding" : "backbone.embeddings";
    model_.embedding = binder_.matrix(embedding, config_.vocab_size, config_.embedding_dim);
    config_.vocab_size = model_.embedding.rows();
    config_.embedding_dim = model_.embedding.cols();
    for (std::int64_t i = 0; i < config_.num_blocks; ++i) model_.blocks.emplace_back(block(i));
    if (config_.add_out_norm) {
      model_.out_norm = binder_.norm("backbone.out_norm", config_.embedding_dim, package && config_.use_bias);
    }
    // A file that has a head uses it: the reference does not tie this network, whatever the flag says.
    config_.tie_weights = config_.tie_weights && !binder_.has("lm_head.weight");
    if (config_.tie_weights) {
      static_cast<Matrix&>(model_.lm_head) = model_.embedding;
    } else {
      model_.lm_head = binder_.linear("lm_head", config_.vocab_size, config_.embedding_dim, false);
    }
  }

 private:
  LargeBlock block(std::int64_t index) {
    const std::string prefix = "backbone.blocks." + std::to_string(index) + '.';
    LargeBlock block;
    block.norm_mlstm = norm(prefix + "norm_mlstm", config_.embedding_dim);
    checkpoint_.fused_weights ? bind_fused(block, prefix) : bind_single(block, prefix);
    block.multihead_norm = norm(prefix + "mlstm_layer.multihead_norm", config_.v_dim);
    block.norm_ffn = norm(prefix + "norm_ffn", config_.embedding_dim);
    return block;
  }

  void bind_single(LargeBlock& block, const std::string& prefix) {
    const std::int64_t dim = config_.embedding_dim;
    const std::string layer = prefix + "mlstm_layer.", ffn = prefix + "ffn.";
    block.igate = binder_.gate(layer + "igate_preact", config_.num_heads, dim);
    config_.num_heads = block.igate.out_dim();
    block.fgate = binder_.gate(layer + "fgate_preact", config_.num_heads, dim);
    block.q = linear(layer + "q", config_.qk_dim, dim);
    set_qk_dim(block.q.weight, block.q.out_dim());
    block.k = linear(layer + "k", config_.qk_dim, dim);
    block.v = linear(layer + "v", config_.v_dim, dim);
    set_v_dim(block.v.weight, block.v.out_dim());
    block.ogate = linear(layer + "ogate_preact", config_.v_dim, dim);
    block.out_proj = linear(layer + "out_proj", dim, config_.v_dim);
    block.ffn_gate = linear(ffn + "proj_up_gate", config_.ffn_dim, dim);
    set_ffn_dim(block.ffn_gate.weight, block.ffn_gate.out_dim());
    block.ffn_up = linear(ffn + "proj_up", config_.ffn_dim, dim);
    block.ffn_down = linear(ffn + "proj_down", dim, config_.ffn_dim);
  }

  // Orders of the fused rows: q k v o; i f; gate up (reference 1.4).
  void bind_fused(LargeBlock& block, const std::string& prefix) {
    const std::int64_t dim = config_.embedding_dim;
    const std::string layer = prefix + "mlstm_layer.";
    FusedLinear gates = fused_gates(layer + "ifgate_preact");
    if (config_.num_heads == 0) config_.num_heads = gates.rows() / 2;
    require_rows(gates, 2 * config_.num_heads);
    block.igate = gates.next(config_.num_heads);
    block.fgate = gates.next(config_.num_heads);

    block.out_proj = linear(layer + "out_proj", dim, config_.v_dim);
    set_v_dim(block.out_proj.weight, block.out_proj.in_dim());
    FusedLinear projections = fused(layer + "qkv_opreact");
    if (config_.qk_dim == 0) set_qk_dim(projections.weight(), projections.rows() / 2 - config_.v_dim);
    require_rows(projections, 2 * config_.qk_dim + 2 * config_.v_dim);
    block.q = projections.next(config_.qk_dim);
    block.k = projections.next(config_.qk_dim);
    block.v = projections.next(config_.v_dim);
    block.ogate = projections.next(config_.v_dim);

    block.ffn_down = linear(prefix + "ffn.proj_down", dim, config_.ffn_dim);
    set_ffn_dim(block.ffn_down.weight, block.ffn_down.in_dim());
    FusedLinear up = fused(prefix + "ffn.proj_up_gate_z");
    require_rows(up, 2 * config_.ffn_dim);
    block.ffn_gate = up.next(config_.ffn_dim);
    block.ffn_up = up.next(config_.ffn_dim);
  }

  Linear linear(const std::string& prefix, std::int64_t out, std::int64_t in) {
    return binder_.linear(prefix, out, in, config_.use_bias);
  }

  Norm norm(const std::string& prefix, std::int64_t size) { return binder_.norm(prefix, size, config_.use_bias); }

  FusedLinear fused(const std::string& prefix) {
    const std::string bias = config_.use_bias ? prefix + ".bias" : "";
    return {binder_, binder_.matrix(prefix, kAnySize, config_.embedding_dim), bias};
  }

  FusedLinear fused_gates(const std::string& prefix) {
    const TensorView& weight = binder_.take(prefix + ".weight", {kAnySize, config_.embedding_dim});
    return {binder_, {weight, std::nullopt}, prefix + ".bias"};
  }

  void require_rows(const FusedLinear& layer, std::int64_t expected) {
    Shape shape = layer.weight().shape;
    shape[0] = expected;
    check_shape(layer.weight(), shape);
  }

  // The first block fixes the widths; the others must have the same.
  void set_qk_dim(const TensorView& tensor, std::int64_t width) {
    config_.qk_dim = width;
    binder_.check_width(tensor, width, checkpoint_.widths.qk_dim, "qk_dim_factor");
    binder_.check_divides(tensor, width, config_.num_heads, "num_heads");
  }

  void set_v_dim(const TensorView& tensor, std::int64_t width) {
    config_.v_dim = width;
    binder_.check_width(tensor, width, checkpoint_.widths.v_dim, "v_dim_factor");
    binder_.check_divides(tensor, width, config_.num_heads, "num_heads");
  }

  void set_ffn_dim(const TensorView& tensor, std::int64_t width) {
    config_.ffn_dim = width;
    binder_.check_width(tensor, width, checkpoint_.widths.ffn_dim, "ffn_proj_factor");
  }

  const Checkpoint& checkpoint_;
  TensorBinder& binder_;
  Model& model_;
  config::ModelConfig& config_;
};

}  // namespace

void build_large(const Checkpoint& checkpoint, TensorBinder& binder, Model& model) {
  LargeBuilder(checkpoint, binder, model).build();
}

}  // namespace xlstm::model
