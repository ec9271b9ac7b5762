// Blocks of xLSTM-large (reference 0.1): RMSNorm, mLSTM layer, RMSNorm, gated FFN, each half added to the residual
// stream.
#include <array>
#include <cmath>

#include "xlstm/backend/cpu/blocks.h"
#include "xlstm/backend/cpu/mlstm_cell.h"
#include "xlstm/backend/cpu/norms.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

using model::Op;

constexpr std::int64_t W = kernels::kPanelWidth;

float qk_scale(const config::ModelConfig& config) { return 1.0f / std::sqrt(static_cast<float>(config.qk_head_dim())); }

void decode_mlstm(const Pass& pass, const model::LargeBlock& block, std::size_t index, const DecodeBatch& batch) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t qk = config.qk_dim, v = config.v_dim, heads = config.num_heads, n = batch.size;
  float* a = pass.workspace.take(n * config.embedding_dim);
  decode_rms_norm(pass, block.norm_mlstm, n, batch.x, a);
  pass.lap(Op::norm);
  float* q = pass.workspace.take(n * qk);
  float* k = pass.workspace.take(n * qk);
  float* value = pass.workspace.take(n * v);
  float* o = pass.workspace.take(n * v);
  float* gates = pass.workspace.take(2 * n * heads);
  float* i = gates;
  float* f = gates + n * heads;
  project(pass, a, n,
          std::array<Projection, 6>{{{&block.q, q, qk},
                                     {&block.k, k, qk},
                                     {&block.v, value, v},
                                     {&block.ogate, o, v},
                                     {.linear = &block.igate, .y = i, .y_stride = heads, .exact = true},
                                     {.linear = &block.fgate, .y = f, .y_stride = heads, .exact = true}}});
  if (config.gate_soft_cap) kernels::soft_cap_in_place(gates, 2 * n * heads, *config.gate_soft_cap);
  kernels::scale_in_place(q, n * qk, qk_scale(config));
  pass.lap(Op::qkv_gates);
  float* h = pass.workspace.take(n * v);
  mlstm_cell_decode(pass, index, batch, {q, k, value, i, f, qk, v, heads, h, v});
  pass.lap(Op::mlstm_cell);
  pass.pool.parallel_for(n, [&](std::int64_t b) {
    float* row = h + b * v;
    kernels::group_norm(row, v, heads, block.multihead_norm.weight.data(), block.multihead_norm.bias.data(),
                        config.norm_eps, row);
    kernels::sigmoid_gate_in_place(row, o + b * v, v);
  });
  pass.lap(Op::cell_norm);
  project(pass, h, n, std::array<Projection, 1>{{{&block.out_proj, batch.x, config.embedding_dim, Output::add}}});
  pass.lap(Op::out_projection);
}

void decode_ffn(const Pass& pass, const model::LargeBlock& block, const DecodeBatch& batch) {
  const std::int64_t dim = pass.model.config.embedding_dim, ffn = block.ffn_up.out_dim(), n = batch.size;
  float* u = pass.workspace.take(n * dim);
  decode_rms_norm(pass, block.norm_ffn, n, batch.x, u);
  pass.lap(Op::norm);
  float* hidden = pass.workspace.take(n * ffn);
  float* gate = pass.workspace.take(n * ffn);
  project(pass, u, n, std::array<Projection, 1>{{{&block.ffn_up, hidden, ffn, Output::store, &block.ffn_gate, gate}}});
  pass.lap(Op::ffn_up_gate);
  project(pass, hidden, n, std::array<Projection, 1>{{{&block.ffn_down, batch.x, dim, Output::add}}});
  pass.lap(Op::ffn_down);
}

void prefill_mlstm(const Pass& pass, const model::LargeBlock& block, std::size_t index, const PrefillSegment& s) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim * W, qk = config.qk_dim * W, v = config.v_dim * W,
                     heads = config.num_heads * W;
  float* a = pass.workspace.take(s.panels * dim);
  prefill_rms_norm(pass, block.norm_mlstm, s.panels, s.x, a);
  pass.lap(Op::norm);
  float* q = pass.workspace.take(s.panels * qk);
  float* k = pass.workspace.take(s.panels * qk);
  float* value = pass.workspace.take(s.panels * v);
  float* o = pass.workspace.take(s.panels * v);
  float* gates = pass.workspace.take(2 * s.panels * heads);
  float* i = gates;
  float* f = gates + s.panels * heads;
  project_panels(pass, a, dim, s.panels,
                 std::array<Projection, 6>{{{&block.q, q, qk},
                                            {&block.k, k, qk},
                                            {&block.v, value, v},
                                            {&block.ogate, o, v},
                                            {.linear = &block.igate, .y = i, .y_stride = heads, .exact = true},
                                            {.linear = &block.fgate, .y = f, .y_stride = heads, .exact = true}}});
  if (config.gate_soft_cap) kernels::soft_cap_in_place(gates, 2 * s.panels * heads, *config.gate_soft_cap);
  pass.lap(Op::qkv_gates);
  float* h = pass.workspace.take(s.panels * v);
  CellPanels cell = {q, k, value, i, f, qk, qk, v, heads, qk_scale(config), 1.0f, h, v};
  mlstm_cell_prefill(pass, index, s, cell);
  pass.lap(Op::mlstm_cell);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    float* panel = h + p * v;
    kernels::panel_group_norm(panel, config.v_dim, config.num_heads, block.multihead_norm.weight.data(),
                              block.multihead_norm.bias.data(), config.norm_eps, panel);
    kernels::sigmoid_gate_in_place(panel, o + p * v, v);
  });
  pass.lap(Op::cell_norm);
  project_panels(pass, h, v, s.panels, std::array<Projection, 1>{{{&block.out_proj, s.x, dim, Output::add}}});
  pass.lap(Op::out_projection);
}

void prefill_ffn(const Pass& pass, const model::LargeBlock& block, const PrefillSegment& s) {
  const std::int64_t dim = pass.model.config.embedding_dim * W, ffn = block.ffn_up.out_dim() * W;
  float* u = pass.workspace.take(s.panels * dim);
  prefill_rms_norm(pass, block.norm_ffn, s.panels, s.x, u);
  pass.lap(Op::norm);
  float* hidden = pass.workspace.take(s.panels * ffn);
  float* gate = pass.workspace.take(s.panels * ffn);
  project_panels(pass, u, dim, s.panels,
                 std::array<Projection, 1>{{{&block.ffn_up, hidden, ffn, Output::store, &block.ffn_gate, gate}}});
  pass.lap(Op::ffn_up_gate);
  project_panels(pass, hidden, ffn, s.panels, std::array<Projection, 1>{{{&block.ffn_down, s.x, dim, Output::add}}});
  pass.lap(Op::ffn_down);
}

}  // namespace

void decode_block(const Pass& pass, const model::LargeBlock& block, std::size_t index, const DecodeBatch& batch) {
  decode_mlstm(pass, block, index, batch);
  decode_ffn(pass, block, batch);
}

void prefill_block(const Pass& pass, const model::LargeBlock& block, std::size_t index, const PrefillSegment& segment) {
  prefill_mlstm(pass, block, index, segment);
  prefill_ffn(pass, block, segment);
}

}  // namespace xlstm::backend
