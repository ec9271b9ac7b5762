#include "tiny_model.h"

#include <utility>
#include <vector>

#include "xlstm/base/random.h"

namespace xlstm::testing {
namespace {

constexpr std::int64_t kVocab = 32, kDim = 16, kHeads = 2, kFfn = 24, kInner = 32, kKernel = 4;

// Random tensors that live as long as the model.
class Weights {
 public:
  explicit Weights(DType dtype) : dtype_(dtype), bytes_(std::make_shared<std::vector<std::vector<std::byte>>>()) {}

  FloatArray values(std::int64_t count, float scale = 0.5f, float mean = 0.0f) {
    std::vector<float> result(static_cast<std::size_t>(count));
    for (float& x : result) x = mean + scale * static_cast<float>(2.0 * uniform({7, next_++}) - 1.0);
    return FloatArray(std::move(result));
  }

  TensorView tensor(Shape shape) {
    const FloatArray source = values(shape_size(shape));
    TensorView view;
    view.dtype = dtype_;
    view.shape = std::move(shape);
    bytes_->emplace_back(view.nbytes());
    narrow_from_float32(dtype_, source.data(), source.size(), bytes_->back().data());
    view.data = bytes_->back().data();
    return view;
  }

  model::Linear linear(std::int64_t out, std::int64_t in, bool bias) {
    return {{tensor({out, in}), {}}, bias ? values(out) : FloatArray()};
  }

  model::Norm norm(std::int64_t size, bool bias) {
    return {values(size, 0.2f, 1.0f), bias ? values(size, 0.2f) : FloatArray()};
  }

  model::HeadwiseLinear headwise(std::int64_t blocks, std::int64_t size) {
    return {values(blocks * size * size), {}, blocks, size, size};
  }

  model::CausalConv conv(std::int64_t channels) {
    return {values(channels * kKernel), values(channels), channels, kKernel};
  }

  std::shared_ptr<const void> storage() const { return bytes_; }

 private:
  DType dtype_;
  std::shared_ptr<std::vector<std::vector<std::byte>>> bytes_;
  std::uint64_t next_ = 0;
};

config::ModelConfig base_config() {
  config::ModelConfig config;
  config.vocab_size = kVocab;
  config.embedding_dim = kDim;
  config.num_heads = kHeads;
  config.chunk_size = 4;
  return config;
}

model::LargeBlock large_block(Weights& w, const config::ModelConfig& c) {
  model::LargeBlock b;
  b.norm_mlstm = w.norm(kDim, true);
  b.q = w.linear(c.qk_dim, kDim, true);
  b.k = w.linear(c.qk_dim, kDim, true);
  b.v = w.linear(c.v_dim, kDim, true);
  b.ogate = w.linear(c.v_dim, kDim, true);
  b.igate = w.linear(kHeads, kDim, true);
  b.fgate = w.linear(kHeads, kDim, true);
  b.multihead_norm = w.norm(c.v_dim, true);
  b.out_proj = w.linear(kDim, c.v_dim, true);
  b.norm_ffn = w.norm(kDim, true);
  b.ffn_gate = w.linear(kFfn, kDim, true);
  b.ffn_up = w.linear(kFfn, kDim, true);
  b.ffn_down = w.linear(kDim, kFfn, true);
  return b;
}

model::ResearchMlstmBlock mlstm_block(Weights& w) {
  model::ResearchMlstmBlock b;
  b.norm = w.norm(kDim, false);
  b.proj_up = w.linear(2 * kInner, kDim, false);
  b.conv = w.conv(kInner);
  b.q = w.headwise(kInner / 4, 4);
  b.k = w.headwise(kInner / 4, 4);
  b.v = w.headwise(kInner / 4, 4);
  b.igate = w.linear(kHeads, 3 * kInner, true);
  b.fgate = w.linear(kHeads, 3 * kInner, true);
  b.outnorm = w.norm(kInner, false);
  b.learnable_skip = w.values(kInner);
  b.proj_down = w.linear(kDim, kInner, false);
  return b;
}

model::ResearchSlstmBlock slstm_block(Weights& w, bool ffn) {
  const std::int64_t head = kDim / kHeads;
  model::ResearchSlstmBlock b;
  b.norm = w.norm(kDim, false);
  b.conv = w.conv(kDim);
  b.igate = w.headwise(kHeads, head);
  b.fgate = w.headwise(kHeads, head);
  b.zgate = w.headwise(kHeads, head);
  b.ogate = w.headwise(kHeads, head);
  b.recurrent = w.values(kHeads * 4 * head * head);
  b.bias = w.values(4 * kDim);
  b.group_norm = ffn ? w.norm(kDim, false) : model::Norm{};
  if (ffn) b.ffn = model::GatedFfn{w.norm(kDim, false), w.linear(2 * kFfn, kDim, false), w.linear(kDim, kFfn, false)};
  return b;
}

}  // namespace

std::shared_ptr<const model::Model> tiny_large_model() {
  auto model = std::make_shared<model::Model>();
  config::ModelConfig& c = model->config = base_config();
  c.num_blocks = 2;
  c.blocks.assign(2, config::BlockKind::mlstm);
  c.qk_dim = kDim / 2;
  c.v_dim = kDim;
  c.gate_soft_cap = 15.0f;
  c.output_logit_soft_cap = 30.0f;
  Weights w(DType::bfloat16);
  model->state_spec = config::make_state_spec(c);
  model->embedding.weight = w.tensor({kVocab, kDim});
  for (int i = 0; i < 2; ++i) model->blocks.emplace_back(large_block(w, c));
  model->out_norm = w.norm(kDim, false);
  model->lm_head = w.linear(kVocab, kDim, false);
  model->storage = w.storage();
  return model;
}

std::shared_ptr<const model::Model> tiny_research_model(config::SlstmFunction function) {
  auto model = std::make_shared<model::Model>();
  config::ModelConfig& c = model->config = base_config();
  c.architecture = config::Architecture::research;
  c.num_blocks = 3;
  c.blocks = {config::BlockKind::mlstm, config::BlockKind::slstm, config::BlockKind::slstm};
  c.qk_dim = c.v_dim = kInner;
  c.norm_eps = 1e-5f;
  c.slstm_num_heads = kHeads;
  c.slstm_function = function;
  c.mlstm_conv1d_kernel_size = c.slstm_conv1d_kernel_size = kKernel;
  Weights w(DType::float32);
  model->state_spec = config::make_state_spec(c);
  model->embedding.weight = w.tensor({kVocab, kDim});
  model->blocks.emplace_back(mlstm_block(w));
  model->blocks.emplace_back(slstm_block(w, true));
  model->blocks.emplace_back(slstm_block(w, false));
  model->out_norm = w.norm(kDim, false);
  model->lm_head.weight = model->embedding.weight;
  model->storage = w.storage();
  return model;
}

}  // namespace xlstm::testing
