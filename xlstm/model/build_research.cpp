#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "xlstm/checkpoint/refuse.h"
#include "xlstm/model/build_blocks.h"

namespace xlstm::model {
namespace {

using checkpoint::Checkpoint;
using checkpoint::quote;
using checkpoint::refuse_corrupt;

constexpr std::size_t kGates = 4;  // i, f, z, o

std::size_t size_of(std::int64_t value) { return static_cast<std::size_t>(value); }

// [NH, in, gate, out] -> [NH, gate, out, in].
std::vector<float> to_vanilla_recurrent(const std::vector<float>& from, std::size_t heads, std::size_t dim) {
  std::vector<float> to(from.size());
  const std::size_t rows = kGates * dim;
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t in = 0; in < dim; ++in) {
      for (std::size_t row = 0; row < rows; ++row) to[(h * rows + row) * dim + in] = from[(h * dim + in) * rows + row];
    }
  }
  return to;
}

// [NH, gate, DH] -> [gate, NH, DH].
std::vector<float> to_vanilla_bias(const std::vector<float>& from, std::size_t heads, std::size_t dim) {
  std::vector<float> to(from.size());
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t gate = 0; gate < kGates; ++gate) {
      std::memcpy(&to[(gate * heads + h) * dim], &from[(h * kGates + gate) * dim], dim * sizeof(float));
    }
  }
  return to;
}

bool same_bytes(const TensorView& a, const TensorView& b) {
  return a.dtype == b.dtype && a.shape == b.shape && std::memcmp(a.data, b.data, a.nbytes()) == 0;
}

bool same_bytes(const Matrix& a, const Matrix& b) {
  if (a.groups.has_value() != b.groups.has_value() || !same_bytes(a.weight, b.weight)) return false;
  if (!a.groups) return true;
  return a.groups->bits == b.groups->bits && a.groups->group_size == b.groups->group_size &&
         same_bytes(a.groups->scales, b.groups->scales) && same_bytes(a.groups->biases, b.groups->biases);
}

class ResearchBuilder {
 public:
  ResearchBuilder(const Checkpoint& checkpoint, TensorBinder& binder, Model& model)
      : checkpoint_(checkpoint), binder_(binder), model_(model), config_(model.config) {}

  void build() {
    bind_embedding();
    for (std::int64_t i = 0; i < config_.num_blocks; ++i) {
      const std::string prefix = "xlstm_block_stack.blocks." + std::to_string(i) + '.';
      if (config_.blocks[size_of(i)] == config::BlockKind::mlstm) {
        model_.blocks.emplace_back(mlstm_block(prefix));
      } else {
        model_.blocks.emplace_back(slstm_block(prefix));
      }
    }
    if (config_.add_out_norm) model_.out_norm = norm("xlstm_block_stack.post_blocks_norm", config_.embedding_dim);
  }

 private:
  // A tied file may hold the one matrix under either name, or under both.
  void bind_embedding() {
    const std::string embedding = "token_embedding", head = "lm_head";
    const bool has_head = binder_.has(head + ".weight");
    const bool alias = config_.tie_weights && !binder_.has(embedding + ".weight") && has_head;
    model_.embedding = binder_.matrix(alias ? head : embedding, config_.vocab_size, config_.embedding_dim);
    config_.vocab_size = model_.embedding.rows();
    config_.embedding_dim = model_.embedding.cols();
    static_cast<Matrix&>(model_.lm_head) = model_.embedding;
    if (!has_head && config_.tie_weights) return;
    const Matrix matrix = binder_.matrix(head, config_.vocab_size, config_.embedding_dim);
    if (config_.tie_weights && !same_bytes(matrix, model_.embedding)) {
      refuse_corrupt(matrix.weight.file, "tensor ", quote(matrix.weight.name), ": expected the values of ",
                     quote(model_.embedding.weight.name), " because of tie_weights but got others");
    }
    if (!config_.tie_weights) static_cast<Matrix&>(model_.lm_head) = matrix;
  }

  ResearchMlstmBlock mlstm_block(const std::string& prefix) {
    const std::string layer = prefix + "xlstm.";
    const std::int64_t dim = config_.embedding_dim;
    ResearchMlstmBlock block;
    block.norm = norm(prefix + "xlstm_norm", dim);
    block.proj_down = binder_.linear(layer + "proj_down", dim, config_.v_dim, checkpoint_.research_bias);
    block.igate = binder_.gate(layer + "mlstm_cell.igate", config_.num_heads, 3 * block.proj_down.in_dim());
    set_inner_dim(block.proj_down, block.igate.out_dim());
    const std::int64_t inner = config_.v_dim;
    block.fgate = binder_.gate(layer + "mlstm_cell.fgate", config_.num_heads, 3 * inner);
    block.proj_up = binder_.linear(layer + "proj_up", 2 * inner, dim, checkpoint_.research_bias);
    block.conv = conv(layer + "conv1d.conv", inner, config_.mlstm_conv1d_kernel_size);
    block.q = qkv_projection(layer + "q_proj", inner);
    block.k = qkv_projection(layer + "k_proj", inner);
    block.v = qkv_projection(layer + "v_proj", inner);
    block.outnorm = norm(layer + "mlstm_cell.outnorm", inner);
    block.learnable_skip = binder_.floats(layer + "learnable_skip", {inner});
    return block;
  }

  void set_inner_dim(const Linear& proj_down, std::int64_t num_heads) {
    config_.num_heads = num_heads;
    config_.qk_dim = config_.v_dim = proj_down.in_dim();
    binder_.check_width(proj_down.weight, config_.v_dim, checkpoint_.widths.v_dim, "mlstm_block.mlstm.proj_factor");
    binder_.check_divides(proj_down.weight, config_.v_dim, num_heads, "mlstm_block.mlstm.num_heads");
  }

  ResearchSlstmBlock slstm_block(const std::string& prefix) {
    const std::string layer = prefix + "xlstm.";
    const std::int64_t dim = config_.embedding_dim, kernel = config_.slstm_conv1d_kernel_size;
    ResearchSlstmBlock block;
    block.norm = norm(prefix + "xlstm_norm", dim);
    if (kernel > 0) block.conv = conv(layer + "conv1d.conv", dim, kernel);
    block.igate = slstm_gate(layer + "fgate");  // the names are swapped in the reference (Q19)
    block.fgate = slstm_gate(layer + "igate");
    block.zgate = slstm_gate(layer + "zgate");
    block.ogate = slstm_gate(layer + "ogate");
    bind_cell(block, layer + "slstm_cell.");
    if (config_.slstm_group_norm_weight) block.group_norm = norm(layer + "group_norm", dim);
    if (config_.slstm_has_ffn) block.ffn = gated_ffn(prefix);
    return block;
  }

  // Which backend wrote the cell shows only in the shape of its matrix: vanilla [NH, 4 DH, DH], cuda [NH, DH, 4 DH].
  void bind_cell(ResearchSlstmBlock& block, const std::string& prefix) {
    const std::string matrix = prefix + "_recurrent_kernel_", bias = prefix + "_bias_";
    const std::int64_t heads = config_.slstm_num_heads, dim = config_.slstm_head_dim();
    const TensorView& view = binder_.take(matrix, {heads, kAnySize, kAnySize});
    const Shape cuda = {heads, dim, 4 * dim};
    if (view.shape != cuda) {
      block.recurrent = binder_.floats(matrix, {heads, 4 * dim, dim});
      block.bias = binder_.floats(bias, {4 * config_.embedding_dim});
      return;
    }
    block.recurrent = FloatArray(to_vanilla_recurrent(binder_.copy(matrix, cuda), size_of(heads), size_of(dim)));
    block.bias =
        FloatArray(to_vanilla_bias(binder_.copy(bias, {4 * config_.embedding_dim}), size_of(heads), size_of(dim)));
  }

  GatedFfn gated_ffn(const std::string& prefix) {
    GatedFfn ffn;
    const bool bias = checkpoint_.slstm_ffn_bias;
    ffn.norm = norm(prefix + "ffn_norm", config_.embedding_dim);
    ffn.down = binder_.linear(prefix + "ffn.proj_down", config_.embedding_dim, config_.slstm_ffn_dim, bias);
    config_.slstm_ffn_dim = ffn.down.in_dim();
    binder_.check_width(ffn.down.weight, config_.slstm_ffn_dim, checkpoint_.widths.slstm_ffn_dim,
                        "slstm_block.feedforward.proj_factor");
    ffn.up = binder_.linear(prefix + "ffn.proj_up", 2 * config_.slstm_ffn_dim, config_.embedding_dim, bias);
    ffn.activation = config_.slstm_ffn_activation;
    return ffn;
  }

  // Files hold weight - 1 (Q20); no norm of this layout has a bias.
  Norm norm(const std::string& prefix, std::int64_t size) {
    std::vector<float> weight = binder_.copy(prefix + ".weight", {size});
    for (float& value : weight) value += 1.0f;
    return {FloatArray(std::move(weight)), {}};
  }

  CausalConv conv(const std::string& prefix, std::int64_t channels, std::int64_t kernel_size) {
    CausalConv conv;
    conv.weight = binder_.floats(prefix + ".weight", {channels, 1, kernel_size});
    conv.bias = binder_.floats(prefix + ".bias", {channels});
    conv.channels = channels;
    conv.kernel_size = kernel_size;
    return conv;
  }

  HeadwiseLinear headwise(const std::string& prefix, std::int64_t blocks, std::int64_t width, bool with_bias) {
    HeadwiseLinear layer;
    layer.weight = binder_.floats(prefix + ".weight", {blocks, width, width});
    if (with_bias) layer.bias = binder_.floats(prefix + ".bias", {blocks * width});
    layer.num_blocks = blocks;
    layer.out_dim = layer.in_dim = width;
    return layer;
  }

  HeadwiseLinear qkv_projection(const std::string& prefix, std::int64_t inner) {
    const TensorView& view =
        binder_.take(prefix + ".weight", {kAnySize, config_.qkv_proj_blocksize, config_.qkv_proj_blocksize});
    config_.qkv_proj_blocksize = view.shape[1];
    binder_.check_divides(view, inner, config_.qkv_proj_blocksize, "mlstm_block.mlstm.qkv_proj_blocksize");
    return headwise(prefix, inner / config_.qkv_proj_blocksize, config_.qkv_proj_blocksize, checkpoint_.research_bias);
  }

  HeadwiseLinear slstm_gate(const std::string& prefix) {
    const TensorView& view = binder_.take(prefix + ".weight", {config_.slstm_num_heads, kAnySize, kAnySize});
    config_.slstm_num_heads = view.shape[0];
    binder_.check_divides(view, config_.embedding_dim, config_.slstm_num_heads, "slstm_block.slstm.num_heads");
    return headwise(prefix, config_.slstm_num_heads, config_.slstm_head_dim(), false);
  }

  const Checkpoint& checkpoint_;
  TensorBinder& binder_;
  Model& model_;
  config::ModelConfig& config_;
};

}  // namespace

void build_research(const Checkpoint& checkpoint, TensorBinder& binder, Model& model) {
  ResearchBuilder(checkpoint, binder, model).build();
}

}  // namespace xlstm::model
