// Block of xLSTM-large: mLSTM layer and gated FFN (reference 0.1).
#include <cmath>

#include "xlstm/backend/mlx/block.h"
#include "xlstm/backend/mlx/layers.h"

namespace xlstm::backend::mlx {
namespace {

class LargeBlock : public Block {
 public:
  LargeBlock(const model::LargeBlock& b, const config::ModelConfig& config, WeightUploader& up)
      : num_heads_(static_cast<int>(config.num_heads)),
        q_scale_(1.0f / std::sqrt(static_cast<float>(config.qk_head_dim()))),
        cell_eps_(config.mlstm_eps),
        gate_soft_cap_(config.gate_soft_cap),
        norm_mlstm_(NormKind::rms, b.norm_mlstm, config.norm_eps, up),
        q_(b.q, up),
        k_(b.k, up),
        v_(b.v, up),
        ogate_(b.ogate, up),
        igate_(b.igate, up),
        fgate_(b.fgate, up),
        multihead_norm_(NormKind::layer_per_head, b.multihead_norm, config.norm_eps, up),
        out_proj_(b.out_proj, up),
        norm_ffn_(NormKind::rms, b.norm_ffn, config.norm_eps, up),
        ffn_gate_(b.ffn_gate, up),
        ffn_up_(b.ffn_up, up),
        ffn_down_(b.ffn_down, up) {}

  BlockOutput forward(const mx::array& x, std::span<const mx::array> state, Form form) const override {
    const mx::array a = norm_mlstm_(x);
    const MlstmOutput cell = mlstm(form, cell_inputs(a), {state[0], state[1], state[2]}, cell_eps_);
    const mx::array h = multihead_norm_(mx::transpose(cell.h, {1, 0, 2}));
    const mx::array y = x + out_proj_(mx::sigmoid(ogate_(a)) * h);
    const mx::array u = norm_ffn_(y);
    return {y + ffn_down_(silu(ffn_gate_(u)) * ffn_up_(u)), {cell.state.c, cell.state.n, cell.state.m}};
  }

 private:
  MlstmInputs cell_inputs(const mx::array& a) const {
    return {split_heads(q_(a), num_heads_) * mx::array(q_scale_), split_heads(k_(a), num_heads_),
            split_heads(v_(a), num_heads_), mx::transpose(soft_cap(igate_(a), gate_soft_cap_)),
            mx::transpose(soft_cap(fgate_(a), gate_soft_cap_))};
  }

  int num_heads_;
  float q_scale_, cell_eps_;
  std::optional<float> gate_soft_cap_;
  Norm norm_mlstm_;
  Linear q_, k_, v_, ogate_, igate_, fgate_;
  Norm multihead_norm_;
  Linear out_proj_;
  Norm norm_ffn_;
  Linear ffn_gate_, ffn_up_, ffn_down_;
};

}  // namespace

std::unique_ptr<Block> make_block(const model::LargeBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader) {
  return std::make_unique<LargeBlock>(block, config, uploader);
}

}  // namespace xlstm::backend::mlx
