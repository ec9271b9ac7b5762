// sLSTM blocks of the research layout (reference 3.4): convolution, head-wise gates, a scan over time, optional gated
// FFN.
#include <array>
#include <cmath>
#include <numbers>

#include "xlstm/backend/cpu/blocks.h"
#include "xlstm/backend/cpu/headwise.h"
#include "xlstm/backend/cpu/norms.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/slstm_scan.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

using model::Op;

constexpr std::int64_t W = kernels::kPanelWidth;
constexpr std::size_t kConvState = 1;  // after slstm_state
constexpr int kGates = 4;              // i, f, z, o

constexpr float kSeluAlpha = 1.6732632423543772f, kSeluScale = 1.0507009873554805f;  // arXiv:1706.02515

float activate(config::Activation activation, float x) {
  switch (activation) {
    case config::Activation::gelu:
      return 0.5f * x * (1.0f + std::erf(x * std::numbers::sqrt2_v<float> / 2.0f));
    case config::Activation::relu:
      return x < 0 ? 0.0f : x;  // NaN stays NaN
    case config::Activation::relu_squared:
      return x < 0 ? 0.0f : x * x;
    case config::Activation::silu:
      return x / (1.0f + std::exp(-x));
    case config::Activation::selu:
      return kSeluScale * (x < 0 ? kSeluAlpha * std::expm1(x) : x);
    case config::Activation::tanh:
      return std::tanh(x);
    case config::Activation::sigmoid:
      return 1.0f / (1.0f + std::exp(-x));
    case config::Activation::identity:
      return x;
  }
  fail(ErrorCode::internal, "act_fn", "no such activation");
}

void activate_gate(config::Activation activation, const float* gate, const float* up, std::int64_t size, float* out) {
  for (std::int64_t r = 0; r < size; ++r) out[r] = activate(activation, gate[r]) * up[r];
}

/// One head, one token. raw [4][stride]: this head's part of W x for gates i, f, z, o; state rows y, c, n, m are D
/// floats apart. gates: room for [4, DH].
void cell_step(const model::ResearchSlstmBlock& block, const config::ModelConfig& config, std::int64_t head,
               const float* raw, std::int64_t raw_stride, float* state, float* gates) {
  const std::int64_t dim = config.embedding_dim, width = config.slstm_head_dim();
  const float* r = block.recurrent.data() + head * kGates * width * width;
  float* y = state + head * width;
  kernels::gemv({DType::float32, r, kGates * width, width}, {0, kGates * width}, y, width, 1, gates, kGates * width);
  for (int g = 0; g < kGates; ++g) {
    float* gate = gates + g * width;
    kernels::add_in_place(gate, raw + g * raw_stride, width);
    kernels::add_in_place(gate, block.bias.data() + g * dim + head * width, width);
  }
  const float *i = gates, *f = i + width, *z = f + width, *o = z + width;
  if (config.slstm_function == config::SlstmFunction::slstm) {
    kernels::slstm_pointwise(i, f, z, o, width, y, y + dim, y + 2 * dim, y + 3 * dim);
  } else {
    kernels::lstm_pointwise(i, f, z, o, width, y, y + dim);
  }
}

/// raw [batch, 4, D]; rooms [batch, heads, 4, DH].
void cells(const Pass& pass, const model::ResearchSlstmBlock& block, std::size_t index, const DecodeBatch& batch,
           const float* raw, float* rooms) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim, heads = config.slstm_num_heads, width = config.slstm_head_dim();
  const auto cell = [&](std::int64_t b, std::int64_t head, float* state) {
    cell_step(block, config, head, raw + b * kGates * dim + head * width, dim, state,
              rooms + (b * heads + head) * kGates * width);
  };
  if (batch.ring == nullptr) {
    return pass.pool.parallel_for(batch.size * heads, [&](std::int64_t task) {
      const std::int64_t b = task / heads;
      cell(b, task % heads, state_tensor(pass.model, batch.slots[static_cast<std::size_t>(b)], index, 0));
    });
  }
  for (std::int64_t b = 0; b < batch.size; ++b) {
    float* state = row_tensor(pass, batch, b, index, 0);
    pass.pool.parallel_for(heads, [&](std::int64_t head) { cell(b, head, state); });
  }
}

void decode_ffn(const Pass& pass, const model::GatedFfn& ffn, const DecodeBatch& batch) {
  const std::int64_t dim = pass.model.config.embedding_dim, width = ffn.down.in_dim(), n = batch.size;
  float* u = pass.workspace.take(n * dim);
  decode_layer_norm(pass, ffn.norm, n, batch.x, u);
  pass.lap(Op::norm);
  float* up = pass.workspace.take(n * 2 * width);
  project(pass, u, n, std::array<Projection, 1>{{{&ffn.up, up, 2 * width}}});
  float* hidden = pass.workspace.take(n * width);
  pass.pool.parallel_for(n, [&](std::int64_t b) {
    const float* row = up + b * 2 * width;
    activate_gate(ffn.activation, row, row + width, width, hidden + b * width);
  });
  pass.lap(Op::ffn_up_gate);
  project(pass, hidden, n, std::array<Projection, 1>{{{&ffn.down, batch.x, dim, Output::add}}});
  pass.lap(Op::ffn_down);
}

void prefill_ffn(const Pass& pass, const model::GatedFfn& ffn, const PrefillSegment& s) {
  const std::int64_t dim = pass.model.config.embedding_dim * W, width = ffn.down.in_dim() * W;
  float* u = pass.workspace.take(s.panels * dim);
  prefill_layer_norm(pass, ffn.norm, s.panels, s.x, u);
  pass.lap(Op::norm);
  float* up = pass.workspace.take(s.panels * 2 * width);
  project_panels(pass, u, dim, s.panels, std::array<Projection, 1>{{{&ffn.up, up, 2 * width}}});
  float* hidden = pass.workspace.take(s.panels * width);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    const float* panel = up + p * 2 * width;
    activate_gate(ffn.activation, panel, panel + width, width, hidden + p * width);
  });
  pass.lap(Op::ffn_up_gate);
  project_panels(pass, hidden, width, s.panels, std::array<Projection, 1>{{{&ffn.down, s.x, dim, Output::add}}});
  pass.lap(Op::ffn_down);
}

/// Head by head over the whole segment: heads do not see each other inside the cell.
void scan(const Pass& pass, const model::ResearchSlstmBlock& block, const PrefillSegment& s, const float* raw,
          float* state, float* y) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim, width = config.slstm_head_dim();
  const auto room = static_cast<std::int64_t>(kernels::slstm_scan_scratch(width) + W - 1) / W * W;
  float* rooms = pass.workspace.take(config.slstm_num_heads * room);
  pass.pool.parallel_for(config.slstm_num_heads, [&](std::int64_t head) {
    kernels::SlstmScan args;
    args.width = width;
    args.tokens = s.tokens;
    args.recurrent = block.recurrent.data() + head * kGates * width * width;
    args.bias = block.bias.data() + head * width;
    args.bias_stride = dim;
    args.raw = raw + head * width * W;
    args.raw_stride = kGates * dim * W;
    args.gate_stride = dim * W;
    args.state = state + head * width;
    args.state_stride = dim;
    args.plain_lstm = config.slstm_function != config::SlstmFunction::slstm;
    args.y = y + head * width * W;
    args.y_stride = dim * W;
    kernels::slstm_scan(args, rooms + head * room);
  });
}

}  // namespace

void decode_block(const Pass& pass, const model::ResearchSlstmBlock& block, std::size_t index,
                  const DecodeBatch& batch) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t dim = config.embedding_dim, heads = config.slstm_num_heads, width = config.slstm_head_dim(),
                     n = batch.size;
  float* a = pass.workspace.take(n * dim);
  decode_layer_norm(pass, block.norm, n, batch.x, a);
  pass.lap(Op::norm);
  float* conv = pass.workspace.take(n * dim);
  float* raw = pass.workspace.take(n * kGates * dim);
  float* rooms = pass.workspace.take(n * heads * kGates * width);
  if (block.conv) {
    for_each_row(pass, batch, [&](std::int64_t b) {
      float* history = row_tensor(pass, batch, b, index, kConvState);
      conv_step(*block.conv, a + b * dim, history, conv + b * dim);
    });
    pass.lap(Op::conv);
  }
  pass.pool.parallel_for(n, [&](std::int64_t b) {
    const float* x = a + b * dim;
    const float* c = block.conv ? conv + b * dim : x;
    float* gates = raw + b * kGates * dim;
    headwise(block.igate, c, gates);
    headwise(block.fgate, c, gates + dim);
    headwise(block.zgate, x, gates + 2 * dim);
    headwise(block.ogate, x, gates + 3 * dim);
  });
  pass.lap(Op::headwise);
  cells(pass, block, index, batch, raw, rooms);
  pass.lap(Op::slstm_scan);
  for (std::int64_t b = 0; b < n; ++b) {
    const float* y = state_tensor(pass.model, batch.slots[static_cast<std::size_t>(b)], index, 0);
    float* out = conv + b * dim;
    kernels::group_norm(y, dim, heads, block.group_norm.weight.data(), block.group_norm.bias.data(), config.norm_eps,
                        out);
    kernels::add_in_place(batch.x + b * dim, out, dim);
  }
  pass.lap(Op::cell_norm);
  if (block.ffn) decode_ffn(pass, *block.ffn, batch);
}

void prefill_block(const Pass& pass, const model::ResearchSlstmBlock& block, std::size_t index,
                   const PrefillSegment& s) {
  const config::ModelConfig& config = pass.model.config;
  const std::int64_t rows = config.embedding_dim, dim = rows * W;
  float* a = pass.workspace.take(s.panels * dim);
  prefill_layer_norm(pass, block.norm, s.panels, s.x, a);
  pass.lap(Op::norm);
  const float* c = a;
  if (block.conv) {
    float* conv = pass.workspace.take(s.panels * dim);
    conv_panels(pass, *block.conv, a, dim, s.tokens, state_tensor(pass.model, s.slot, index, kConvState), conv, dim);
    c = conv;
    pass.lap(Op::conv);
  }
  float* raw = pass.workspace.take(s.panels * kGates * dim);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    float* gates = raw + p * kGates * dim;
    headwise_panel(block.igate, c + p * dim, gates);
    headwise_panel(block.fgate, c + p * dim, gates + dim);
    headwise_panel(block.zgate, a + p * dim, gates + 2 * dim);
    headwise_panel(block.ogate, a + p * dim, gates + 3 * dim);
  });
  pass.lap(Op::headwise);
  float* y = pass.workspace.take(s.panels * dim);
  scan(pass, block, s, raw, state_tensor(pass.model, s.slot, index, 0), y);
  pass.lap(Op::slstm_scan);
  pass.pool.parallel_for(s.panels, [&](std::int64_t p) {
    float* panel = y + p * dim;
    kernels::panel_group_norm(panel, rows, config.slstm_num_heads, block.group_norm.weight.data(),
                              block.group_norm.bias.data(), config.norm_eps, panel);
    kernels::add_in_place(s.x + p * dim, panel, dim);
  });
  pass.lap(Op::cell_norm);
  if (block.ffn) prefill_ffn(pass, *block.ffn, s);
}

}  // namespace xlstm::backend
