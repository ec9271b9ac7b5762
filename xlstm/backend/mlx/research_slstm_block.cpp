// sLSTM block of the research layout, with its gated FFN (reference 3.4).
#include <optional>

#include "xlstm/backend/mlx/block.h"
#include "xlstm/backend/mlx/layers.h"
#include "xlstm/backend/mlx/slstm_cell.h"

namespace xlstm::backend::mlx {
namespace {

// down(act(g) * u) of the normalised input, where [g, u] = up(x).
class GatedFfn {
 public:
  GatedFfn(const model::GatedFfn& ffn, float norm_eps, WeightUploader& up)
      : activation_(ffn.activation),
        norm_(NormKind::layer, ffn.norm, norm_eps, up),
        up_(ffn.up, up),
        down_(ffn.down, up) {}

  mx::array operator()(const mx::array& x) const {
    const std::vector<mx::array> parts = mx::split(up_(norm_(x)), 2, 1);
    return down_(activate(activation_, parts[0]) * parts[1]);
  }

 private:
  config::Activation activation_;
  Norm norm_;
  Linear up_, down_;
};

class ResearchSlstmBlock : public Block {
 public:
  ResearchSlstmBlock(const model::ResearchSlstmBlock& b, const config::ModelConfig& config, WeightUploader& up)
      : function_(config.slstm_function),
        num_heads_(static_cast<int>(config.slstm_num_heads)),
        norm_(NormKind::layer, b.norm, config.norm_eps, up),
        igate_(b.igate, up),
        fgate_(b.fgate, up),
        zgate_(b.zgate, up),
        ogate_(b.ogate, up),
        recurrent_(input_major(b, config, up)),
        bias_(head_major_bias(b, config, up)),
        group_norm_(NormKind::layer_per_head, b.group_norm, config.norm_eps, up) {
    if (b.conv) conv_.emplace(*b.conv, up);
    if (b.ffn) ffn_.emplace(*b.ffn, config.norm_eps, up);
  }

  BlockOutput forward(const mx::array& x, std::span<const mx::array> state, Form) const override {
    const mx::array a = norm_(x);
    mx::array c = a;
    std::vector<mx::array> ring;
    if (conv_) {
      const CausalConv::Output conv = (*conv_)(a, state[1]);
      c = silu(conv.y);
      ring.push_back(conv.ring);
    }
    const SlstmOutput cell = slstm_scan(function_, gate_inputs(c, a), recurrent_, state[0]);
    mx::array y = x + group_norm_(cell.y);
    if (ffn_) y = y + (*ffn_)(y);
    BlockOutput out{y, {cell.state}};
    out.state.insert(out.state.end(), ring.begin(), ring.end());
    return out;
  }

 private:
  // [T, NH, 1, 4*DH]. i and f see the convolved input, z and o the input itself.
  mx::array gate_inputs(const mx::array& c, const mx::array& a) const {
    const int num_tokens = a.shape(0), head_dim = a.shape(1) / num_heads_;
    std::vector<mx::array> gates;
    for (const mx::array& gate : {igate_(c), fgate_(c), zgate_(a), ogate_(a)}) {
      gates.push_back(mx::reshape(gate, {num_tokens, num_heads_, 1, head_dim}));
    }
    return mx::concatenate(gates, 3) + bias_;
  }

  // [NH, 4, DH(out), DH(in)] -> [NH, DH(in), 4*DH(out)]
  static mx::array input_major(const model::ResearchSlstmBlock& b, const config::ModelConfig& config,
                               WeightUploader& up) {
    const std::int64_t heads = config.slstm_num_heads, dim = config.slstm_head_dim();
    mx::array view = mx::swapaxes(up.values(b.recurrent, {heads, 4 * dim, dim}), 1, 2);
    view.eval();
    return view;
  }

  // [4, NH, DH] -> [NH, 1, 4*DH]
  static mx::array head_major_bias(const model::ResearchSlstmBlock& b, const config::ModelConfig& config,
                                   WeightUploader& up) {
    const auto heads = static_cast<int>(config.slstm_num_heads), dim = static_cast<int>(config.slstm_head_dim());
    const mx::array bias = mx::transpose(up.values(b.bias, {4, heads, dim}), {1, 0, 2});
    mx::array flat = mx::reshape(bias, {heads, 1, 4 * dim});
    flat.eval();
    return flat;
  }

  config::SlstmFunction function_;
  int num_heads_;
  Norm norm_;
  std::optional<CausalConv> conv_;
  HeadwiseLinear igate_, fgate_, zgate_, ogate_;
  mx::array recurrent_;  // [NH, DH, 4*DH]
  mx::array bias_;       // [NH, 1, 4*DH]
  Norm group_norm_;
  std::optional<GatedFfn> ffn_;
};

}  // namespace

std::unique_ptr<Block> make_block(const model::ResearchSlstmBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader) {
  return std::make_unique<ResearchSlstmBlock>(block, config, uploader);
}

}  // namespace xlstm::backend::mlx
