// mLSTM block of the research layout (reference 3.3).
#include <cmath>

#include "xlstm/backend/mlx/block.h"
#include "xlstm/backend/mlx/layers.h"

namespace xlstm::backend::mlx {
namespace {

class ResearchMlstmBlock : public Block {
 public:
  ResearchMlstmBlock(const model::ResearchMlstmBlock& b, const config::ModelConfig& config, WeightUploader& up)
      : num_heads_(static_cast<int>(config.num_heads)),
        k_scale_(1.0f / std::sqrt(static_cast<float>(config.qk_head_dim()))),
        cell_eps_(config.mlstm_eps),
        norm_(NormKind::layer, b.norm, config.norm_eps, up),
        proj_up_(b.proj_up, up),
        conv_(b.conv, up),
        q_(b.q, up),
        k_(b.k, up),
        v_(b.v, up),
        igate_(b.igate, up),
        fgate_(b.fgate, up),
        outnorm_(NormKind::layer_per_head, b.outnorm, config.norm_eps, up),
        learnable_skip_(up.values(b.learnable_skip, {static_cast<std::int64_t>(b.learnable_skip.size())})),
        proj_down_(b.proj_down, up) {}

  BlockOutput forward(const mx::array& x, std::span<const mx::array> state, Form form) const override {
    const std::vector<mx::array> branches = mx::split(proj_up_(norm_(x)), 2, 1);
    const mx::array &p = branches[0], &z = branches[1];
    const CausalConv::Output conv = conv_(p, state[3]);
    const mx::array c = silu(conv.y);
    const MlstmOutput cell = mlstm(form, cell_inputs(c, p), cell_state(state), cell_eps_);
    const mx::array h = outnorm_(mx::transpose(cell.h, {1, 0, 2}));
    const mx::array y = x + proj_down_((h + learnable_skip_ * c) * silu(z));
    return {y,
            {mx::reshape(cell.state.c, state[0].shape()), mx::reshape(cell.state.n, state[1].shape()),
             mx::reshape(cell.state.m, state[2].shape()), conv.ring}};
  }

 private:
  // The gates see the keys before they are scaled.
  MlstmInputs cell_inputs(const mx::array& c, const mx::array& p) const {
    const mx::array q = q_(c), k = k_(c), v = v_(p);
    const mx::array qkv = mx::concatenate({q, k, v}, 1);
    return {split_heads(q, num_heads_), split_heads(k, num_heads_) * mx::array(k_scale_), split_heads(v, num_heads_),
            mx::transpose(igate_(qkv)), mx::transpose(fgate_(qkv))};
  }

  // Without the axes of size 1 that the files have.
  static MlstmState cell_state(std::span<const mx::array> state) {
    const int heads = state[0].shape(1), dim = state[0].shape(2);
    return {mx::reshape(state[0], {heads, dim, dim}), mx::reshape(state[1], {heads, dim}),
            mx::reshape(state[2], {heads, 1})};
  }

  int num_heads_;
  float k_scale_, cell_eps_;
  Norm norm_;
  Linear proj_up_;
  CausalConv conv_;
  HeadwiseLinear q_, k_, v_;
  Linear igate_, fgate_;
  Norm outnorm_;
  mx::array learnable_skip_;  // [Di]
  Linear proj_down_;
};

}  // namespace

std::unique_ptr<Block> make_block(const model::ResearchMlstmBlock& block, const config::ModelConfig& config,
                                  WeightUploader& uploader) {
  return std::make_unique<ResearchMlstmBlock>(block, config, uploader);
}

}  // namespace xlstm::backend::mlx
