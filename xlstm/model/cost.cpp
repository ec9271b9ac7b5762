#include "xlstm/model/cost.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "xlstm/kernels/cpu/mlstm_chunkwise.h"

namespace xlstm::model {
namespace {

/// What one operation of all blocks reads and computes for one token.
struct Count {
  double weight_bytes = 0;
  double multiply_adds = 0;  // of every matrix
  double state_bytes = 0;
};

class Counts {
 public:
  Counts(const Model& model, DType state_dtype) {
    for (const Block& block : model.blocks) std::visit(*this, block);
    if (model.out_norm) add(Op::norm, *model.out_norm);
    add(Op::head, model.lm_head);
    count_state(model, state_dtype);
  }

  void operator()(const LargeBlock& block) {
    add_all(Op::norm, block.norm_mlstm, block.norm_ffn);
    add_all(Op::qkv_gates, block.q, block.k, block.v, block.ogate, block.igate, block.fgate);
    add(Op::cell_norm, block.multihead_norm);
    add(Op::out_projection, block.out_proj);
    add_all(Op::ffn_up_gate, block.ffn_gate, block.ffn_up);
    add(Op::ffn_down, block.ffn_down);
  }
  void operator()(const ResearchMlstmBlock& block) {
    add(Op::norm, block.norm);
    add(Op::up_projection, block.proj_up);
    add(Op::conv, block.conv);
    add_all(Op::headwise, block.q, block.k, block.v);
    add_all(Op::gates, block.igate, block.fgate);
    add_all(Op::cell_norm, block.outnorm, block.learnable_skip);
    add(Op::out_projection, block.proj_down);
  }
  void operator()(const ResearchSlstmBlock& block) {
    add(Op::norm, block.norm);
    if (block.conv) add(Op::conv, *block.conv);
    add_all(Op::headwise, block.igate, block.fgate, block.zgate, block.ogate);
    add_all(Op::slstm_scan, block.recurrent, block.bias);
    at(Op::slstm_scan).multiply_adds += static_cast<double>(block.recurrent.size());
    add(Op::cell_norm, block.group_norm);
    if (!block.ffn) return;
    add(Op::norm, block.ffn->norm);
    add(Op::ffn_up_gate, block.ffn->up);
    add(Op::ffn_down, block.ffn->down);
  }

  const Count& operator[](std::size_t op) const { return counts_[op]; }

 private:
  Count& at(Op op) { return counts_[static_cast<std::size_t>(op)]; }

  template <class... Parts>
  void add_all(Op op, const Parts&... parts) {
    (add(op, parts), ...);
  }
  void add(Op op, const FloatArray& array) { at(op).weight_bytes += static_cast<double>(array.size() * sizeof(float)); }
  void add(Op op, const Norm& norm) { add_all(op, norm.weight, norm.bias); }
  void add(Op op, const Linear& linear) {
    at(op).weight_bytes += static_cast<double>(linear.nbytes());
    at(op).multiply_adds += static_cast<double>(linear.size());
    add(op, linear.bias);
  }
  void add(Op op, const HeadwiseLinear& linear) {
    add_all(op, linear.weight, linear.bias);
    at(op).multiply_adds += static_cast<double>(linear.weight.size());
  }
  void add(Op op, const CausalConv& conv) {
    add_all(op, conv.weight, conv.bias);
    at(op).multiply_adds += static_cast<double>(conv.weight.size());
  }

  /// A block's cell comes first in its state (C, n, m or one tensor of all), then the window of its convolution.
  void count_state(const Model& model, DType state_dtype) {
    const config::StateSpec& spec = model.state_spec;
    for (std::size_t block = 0; block < spec.first_tensor.size(); ++block) {
      const bool is_mlstm = model.config.blocks[block] == config::BlockKind::mlstm;
      const std::size_t first = spec.first_tensor[block], of_cell = is_mlstm ? 3 : 1;
      const std::size_t end = block + 1 < spec.first_tensor.size() ? spec.first_tensor[block + 1] : spec.tensors.size();
      for (std::size_t i = first; i < end; ++i) {
        const Op op = i >= first + of_cell ? Op::conv : is_mlstm ? Op::mlstm_cell : Op::slstm_scan;
        at(op).state_bytes += static_cast<double>(spec.tensors[i].size) *
                              static_cast<double>(dtype_size(spec.tensors[i].stored_dtype(state_dtype)));
      }
    }
  }

  std::array<Count, kNumOps> counts_{};
};

double embedding_row_bytes(const Model& model) {
  return static_cast<double>(model.embedding.nbytes()) / static_cast<double>(model.embedding.rows());
}

/// One head, one chunk of L tokens, key width d, value width e: the five lines of reference section 2.4.
double mlstm_chunk_flops(double L, double d, double e) {
  constexpr double kPhi = 0.5;  // of the L x L square is computed
  const double gates = L * (L + 1) / 2 + 6 * L + 5;
  const double state = 2 * d * e + 2 * L * d * e + L * d + 2 * d + 2 * L * d;
  const double intra = L * (L + 1) / 2 + 2 * L + kPhi * (5 * L * L + 2 * L) + kPhi * (2 * L * L * (d + e) + 3 * L * L);
  const double inter = 2 * L * d * e + 3 * L * d;
  const double combination = 2 * L * e + 4 * L;
  return gates + state + intra + inter + combination;
}

double num_mlstm_heads(const config::ModelConfig& config) {
  const auto blocks = std::count(config.blocks.begin(), config.blocks.end(), config::BlockKind::mlstm);
  return static_cast<double>(blocks * config.num_heads);
}

/// One token: the "recurrent form" of reference section 2.4.
double mlstm_step_flops(const config::ModelConfig& config) {
  const auto d = static_cast<double>(config.qk_head_dim()), e = static_cast<double>(config.v_head_dim());
  return num_mlstm_heads(config) * (6 * d * e + 7 * d + e + 12);
}

double mlstm_prefill_flops(const config::ModelConfig& config, std::int64_t tokens) {
  const auto d = static_cast<double>(config.qk_head_dim()), e = static_cast<double>(config.v_head_dim());
  const std::int64_t chunk = std::clamp<std::int64_t>(config.chunk_size, 1, kernels::kMaxChunk);
  const std::int64_t whole_chunks = tokens / chunk;
  double flops = static_cast<double>(whole_chunks) * mlstm_chunk_flops(static_cast<double>(chunk), d, e);
  if (tokens % chunk != 0) flops += mlstm_chunk_flops(static_cast<double>(tokens % chunk), d, e);
  return num_mlstm_heads(config) * flops;
}

}  // namespace

std::string_view op_name(Op op) noexcept {
  constexpr std::array<std::string_view, kNumOps> kNames{
      "embed",      "norm",       "up_projection", "conv",           "headwise",    "gates",    "qkv_gates",
      "mlstm_cell", "slstm_scan", "cell_norm",     "out_projection", "ffn_up_gate", "ffn_down", "head"};
  return kNames[static_cast<std::size_t>(op)];
}

Cost Costs::total() const noexcept {
  Cost total;
  for (const Cost& cost : costs_) total = {total.bytes + cost.bytes, total.flops + cost.flops};
  return total;
}

Costs decode_costs(const Model& model, std::int64_t batch, DType state_dtype) {
  const Counts counts(model, state_dtype);
  const auto rows = static_cast<double>(batch);
  Costs costs;
  for (std::size_t op = 0; op < kNumOps; ++op) {
    const Count& count = counts[op];
    costs[Op(op)] = {count.weight_bytes + rows * 2 * count.state_bytes, rows * 2 * count.multiply_adds};
  }
  costs[Op::embed].bytes += rows * embedding_row_bytes(model);
  costs[Op::mlstm_cell].flops += rows * mlstm_step_flops(model.config);
  return costs;
}

Costs prefill_costs(const Model& model, std::int64_t batch, std::int64_t tokens, std::int64_t segment,
                    DType state_dtype) {
  const Counts counts(model, state_dtype);
  const auto rows = static_cast<double>(batch), n = rows * static_cast<double>(tokens),
             segments = rows * std::ceil(static_cast<double>(tokens) / static_cast<double>(segment));
  Costs costs;
  for (std::size_t op = 0; op < kNumOps; ++op) {
    const Count& count = counts[op];
    costs[Op(op)] = {segments * (count.weight_bytes + 2 * count.state_bytes), n * 2 * count.multiply_adds};
  }
  costs[Op::embed].bytes += n * embedding_row_bytes(model);
  const Count& head = counts[static_cast<std::size_t>(Op::head)];
  costs[Op::head] = {rows * head.weight_bytes, rows * 2 * head.multiply_adds};
  costs[Op::mlstm_cell].flops += rows * mlstm_prefill_flops(model.config, tokens);
  return costs;
}

double decode_step_bytes(const Model& model, std::int64_t batch, DType state_dtype) {
  return decode_costs(model, batch, state_dtype).total().bytes;
}

double prefill_flops(const Model& model, std::int64_t tokens) {
  return prefill_costs(model, 1, tokens, std::max<std::int64_t>(tokens, 1)).total().flops;
}

}  // namespace xlstm::model
