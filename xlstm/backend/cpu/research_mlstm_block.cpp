// mLSTM blocks of the research layout (reference 3.3): pre-up-projection, convolution, block-diagonal q, k, v, gated
// output.
#include <array>
#include <cmath>

#include "xlstm/backend/cpu/blocks.h"
#include "xlstm/backend/cpu/headwise.h"
#include "xlstm/backend/cpu/mlstm_cell.h"
#include "xlstm/backend/cpu/norms.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

using model::Op;

constexpr std::int64_t W = kernels::kPanelWidth;
constexpr std::size_t kConvState = 3;  // after C, n, m

// The cell of this layout scales k, not q: the state holds scaled keys (reference 3.3, Q33).
float key_scale(const config::ModelConfig& config) {
  return 1.0f / std::sqrt(static_cast<float>(config.qk_head_dim()));
}

}  // namespace

void decode_block(const Pass& pass, const model::ResearchMlstmBlock& block, std::size_t index,
                  const DecodeBatch& batch) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim, inner = config.v_dim, heads = config.num_heads, n = batch.size;
  float* a = pass.workspace.take(n * dim);
  decode_layer_norm(pass, block.norm, n, batch.x, a);
  pass.lap(Op::norm);
  float* up = pass.workspace.take(n * 2 * inner);  // [p ; z]
  project(pass, a, n, std::array<Projection, 1>{{{&block.proj_up, up, 2 * inner}}});
  pass.lap(Op::up_projection);
  float* conv = pass.workspace.take(n * inner);
  for_each_row(pass, batch, [&](std::int64_t b) {
    float* history = row_tensor(pass, batch, b, index, kConvState);
    conv_step(block.conv, up + b * 2 * inner, history, conv + b * inner);
  });
  pass.lap(Op::conv);
  float* qkv = pass.workspace.take(n * 3 * inner);
  pass.pool.parallel_for(n, [&](std::int64_t b) {
    float* row = qkv + b * 3 * inner;
    headwise(block.q, conv + b * inner, row);
    headwise(block.k, conv + b * inner, row + inner);
    headwise(block.v, up + b * 2 * inner, row + 2 * inner);
  });
  pass.lap(Op::headwise);
  float* i = pass.workspace.take(n * heads);
  float* f = pass.workspace.take(n * heads);
  project(pass, qkv, n,
          std::array<Projection, 2>{{{.linear = &block.igate, .y = i, .y_stride = heads, .exact = true},
                                     {.linear = &block.fgate, .y = f, .y_stride = heads, .exact = true}}});
  for (std::int64_t b = 0; b < n; ++b) kernels::scale_in_place(qkv + b * 3 * inner + inner, inner, key_scale(config));
  pass.lap(Op::gates);
  float* h = pass.workspace.take(n * inner);
  const float* q = qkv;
  mlstm_cell_decode(pass, index, batch, {q, q + inner, q + 2 * inner, i, f, 3 * inner, 3 * inner, heads, h, inner});
  pass.lap(Op::mlstm_cell);
  pass.pool.parallel_for(n, [&](std::int64_t b) {
    float* row = h + b * inner;
    float* skip = conv + b * inner;
    kernels::group_norm(row, inner, heads, block.outnorm.weight.data(), block.outnorm.bias.data(), config.norm_eps,
                        row);
    kernels::multiply_in_place(skip, block.learnable_skip.data(), inner);
    kernels::add_in_place(row, skip, inner);
    kernels::silu_gate_in_place(row, up + b * 2 * inner + inner, inner);
  });
  pass.lap(Op::cell_norm);
  project(pass, h, n, std::array<Projection, 1>{{{&block.proj_down, batch.x, dim, Output::add}}});
  pass.lap(Op::out_projection);
}

void prefill_block(const Pass& pass, const model::ResearchMlstmBlock& block, std::size_t index,
                   const PrefillSegment& s) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim * W, inner = config.v_dim * W, heads = config.num_heads * W;
  float* a = pass.workspace.take(s.panels * dim);
  prefill_layer_norm(pass, block.norm, s.panels, s.x, a);
  pass.lap(Op::norm);
  float* up = pass.workspace.take(s.panels * 2 * inner);
  project_panels(pass, a, dim, s.panels, std::array<Projection, 1>{{{&block.proj_up, up, 2 * inner}}});
  pass.lap(Op::up_projection);
  float* conv = pass.workspace.take(s.panels * inner);
  conv_panels(pass, block.conv, up, 2 * inner, s.tokens, state_tensor(pass.model, s.slot, index, kConvState), conv,
              inner);
  pass.lap(Op::conv);
  float* qkv = pass.workspace.take(s.panels * 3 * inner);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    float* panel = qkv + p * 3 * inner;
    headwise_panel(block.q, conv + p * inner, panel);
    headwise_panel(block.k, conv + p * inner, panel + inner);
    headwise_panel(block.v, up + p * 2 * inner, panel + 2 * inner);
  });
  pass.lap(Op::headwise);
  float* i = pass.workspace.take(s.panels * heads);
  float* f = pass.workspace.take(s.panels * heads);
  project_panels(pass, qkv, 3 * inner, s.panels,
                 std::array<Projection, 2>{{{.linear = &block.igate, .y = i, .y_stride = heads, .exact = true},
                                            {.linear = &block.fgate, .y = f, .y_stride = heads, .exact = true}}});
  pass.lap(Op::gates);
  float* h = pass.workspace.take(s.panels * inner);
  mlstm_cell_prefill(pass, index, s,
                     {qkv, qkv + inner, qkv + 2 * inner, i, f, 3 * inner, 3 * inner, 3 * inner, heads, 1.0f,
                      key_scale(config), h, inner});
  pass.lap(Op::mlstm_cell);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    float* panel = h + p * inner;
    kernels::panel_group_norm(panel, config.v_dim, config.num_heads, block.outnorm.weight.data(),
                              block.outnorm.bias.data(), config.norm_eps, panel);
    kernels::panel_add_scaled_rows(conv + p * inner, config.v_dim, block.learnable_skip.data(), panel);
    kernels::silu_gate_in_place(panel, up + p * 2 * inner + inner, inner);
  });
  pass.lap(Op::cell_norm);
  project_panels(pass, h, inner, s.panels, std::array<Projection, 1>{{{&block.proj_down, s.x, dim, Output::add}}});
  pass.lap(Op::out_projection);
}

}  // namespace xlstm::backend
