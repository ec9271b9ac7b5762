#include "tests/unit/backend/tiny_model.h"

#include <cmath>
#include <utility>

#include "xlstm/base/random.h"

namespace xlstm::testing {
namespace {

using config::Architecture;

// Random tensors that live as long as the model.
class Weights {
 public:
  Weights(DType dtype, bool bias)
      : dtype_(dtype), bias_(bias), bytes_(std::make_shared<std::vector<std::vector<std::byte>>>()) {}

  FloatArray values(std::int64_t count, double size, double mean = 0) {
    std::vector<float> result(static_cast<std::size_t>(count));
    for (float& x : result) x = static_cast<float>(mean + size * (2 * uniform({11, next_++}) - 1));
    return FloatArray(std::move(result));
  }
  TensorView tensor(std::int64_t rows, std::int64_t cols, double size) {
    const FloatArray source = values(rows * cols, size);
    TensorView view;
    view.dtype = dtype_;
    view.shape = {rows, cols};
    const std::size_t misplaced = dtype_size(dtype_);  // aligned to the element and no more, as files are
    bytes_->emplace_back(view.nbytes() + misplaced);
    view.data = bytes_->back().data() + misplaced;
    narrow_from_float32(dtype_, source.data(), source.size(), bytes_->back().data() + misplaced);
    return view;
  }
  FloatArray bias(std::int64_t size) { return bias_ ? values(size, 0.3) : FloatArray(); }
  model::Linear linear(std::int64_t out, std::int64_t in, double gain = 1.7) {
    return {{tensor(out, in, gain / std::sqrt(static_cast<double>(in))), {}}, bias(out)};
  }
  /// Gates have a bias always.
  model::Linear gate(std::int64_t heads, std::int64_t in, double mean) {
    return {{tensor(heads, in, 3 / std::sqrt(static_cast<double>(in))), {}}, values(heads, 1, mean)};
  }
  model::Norm norm(std::int64_t size, bool with_bias = false) {
    return {values(size, 0.3, 1), with_bias ? bias(size) : FloatArray()};
  }
  model::HeadwiseLinear headwise(std::int64_t blocks, std::int64_t size, bool with_bias) {
    return {values(blocks * size * size, 1.7 / std::sqrt(static_cast<double>(size))),
            with_bias ? bias(blocks * size) : FloatArray(), blocks, size, size};
  }
  model::CausalConv conv(std::int64_t channels, std::int64_t kernel) {
    return {values(channels * kernel, 1), values(channels, 0.3), channels, kernel};
  }
  std::shared_ptr<const void> storage() const { return bytes_; }

 private:
  DType dtype_;
  bool bias_;
  std::shared_ptr<std::vector<std::vector<std::byte>>> bytes_;
  std::uint64_t next_ = 0;
};

model::LargeBlock large_block(Weights& w, const TinySpec& s) {
  const std::int64_t qk = s.heads * s.qk_head, v = s.heads * s.v_head;
  model::LargeBlock b;
  b.norm_mlstm = w.norm(s.dim, true);
  b.q = w.linear(qk, s.dim);
  b.k = w.linear(qk, s.dim);
  b.v = w.linear(v, s.dim);
  b.ogate = w.linear(v, s.dim);
  b.igate = w.gate(s.heads, s.dim, -0.5);
  b.fgate = w.gate(s.heads, s.dim, 2);
  b.multihead_norm = w.norm(v, true);
  b.out_proj = w.linear(s.dim, v);
  b.norm_ffn = w.norm(s.dim, true);
  b.ffn_gate = w.linear(s.ffn, s.dim);
  b.ffn_up = w.linear(s.ffn, s.dim);
  b.ffn_down = w.linear(s.dim, s.ffn);
  return b;
}

model::ResearchMlstmBlock mlstm_block(Weights& w, const TinySpec& s) {
  const std::int64_t inner = s.heads * s.v_head, blocks = inner / s.qkv_block;
  model::ResearchMlstmBlock b;
  b.norm = w.norm(s.dim);
  b.proj_up = w.linear(2 * inner, s.dim);
  b.conv = w.conv(inner, s.mlstm_conv);
  b.q = w.headwise(blocks, s.qkv_block, true);
  b.k = w.headwise(blocks, s.qkv_block, true);
  b.v = w.headwise(blocks, s.qkv_block, true);
  b.igate = w.gate(s.heads, 3 * inner, -0.5);
  b.fgate = w.gate(s.heads, 3 * inner, 2);
  b.outnorm = w.norm(inner);
  b.learnable_skip = w.values(inner, 1);
  b.proj_down = w.linear(s.dim, inner);
  return b;
}

model::ResearchSlstmBlock slstm_block(Weights& w, const TinySpec& s, const TinySlstm& options) {
  const std::int64_t head = s.dim / s.heads;
  model::ResearchSlstmBlock b;
  b.norm = w.norm(s.dim);
  if (options.conv_kernel > 0) b.conv = w.conv(s.dim, options.conv_kernel);
  b.igate = w.headwise(s.heads, head, false);
  b.fgate = w.headwise(s.heads, head, false);
  b.zgate = w.headwise(s.heads, head, false);
  b.ogate = w.headwise(s.heads, head, false);
  b.recurrent = w.values(s.heads * 4 * head * head, 1 / std::sqrt(static_cast<double>(head)));
  b.bias = w.values(4 * s.dim, 1, 0.5);
  if (options.norm_weight) b.group_norm = w.norm(s.dim);
  if (options.ffn) {
    b.ffn = model::GatedFfn{w.norm(s.dim), w.linear(2 * s.ffn, s.dim), w.linear(s.dim, s.ffn), options.activation};
  }
  return b;
}

config::ModelConfig make_config(const TinySpec& s) {
  const bool large = s.architecture == Architecture::large;
  config::ModelConfig c;
  c.architecture = s.architecture;
  c.vocab_size = s.vocab;
  c.embedding_dim = s.dim;
  c.num_blocks = static_cast<std::int64_t>(s.blocks.size());
  c.num_heads = c.slstm_num_heads = s.heads;
  c.qk_dim = s.heads * (large ? s.qk_head : s.v_head);
  c.v_dim = s.heads * s.v_head;
  c.chunk_size = s.chunk_size;
  c.norm_eps = large ? 1e-6f : 1e-5f;
  c.add_out_norm = s.out_norm;
  c.tie_weights = s.tied;
  if (large && s.caps) {
    c.gate_soft_cap = 15.0f;
    c.output_logit_soft_cap = 30.0f;
  }
  c.mlstm_conv1d_kernel_size = s.mlstm_conv;
  c.qkv_proj_blocksize = s.qkv_block;
  c.slstm_function = s.function;
  for (const auto& block : s.blocks) {
    c.blocks.push_back(block ? config::BlockKind::slstm : config::BlockKind::mlstm);
    if (block) c.slstm_conv1d_kernel_size = block->conv_kernel;
  }
  return c;
}

TinySpec research(std::string name, DType dtype, std::vector<std::optional<TinySlstm>> blocks) {
  TinySpec s;
  s.name = std::move(name);
  s.architecture = Architecture::research;
  s.dtype = dtype;
  s.blocks = std::move(blocks);
  return s;
}

}  // namespace

std::shared_ptr<const model::Model> make_tiny_model(const TinySpec& spec) {
  auto model = std::make_shared<model::Model>();
  model->config = make_config(spec);
  model->state_spec = config::make_state_spec(model->config);
  model->dtype = spec.dtype;
  Weights w(spec.dtype, spec.bias);
  model->embedding.weight = w.tensor(spec.vocab, spec.dim, 1);
  for (const auto& block : spec.blocks) {
    if (spec.architecture == Architecture::large) {
      model->blocks.emplace_back(large_block(w, spec));
    } else if (block) {
      model->blocks.emplace_back(slstm_block(w, spec, *block));
    } else {
      model->blocks.emplace_back(mlstm_block(w, spec));
    }
  }
  if (spec.out_norm) model->out_norm = w.norm(spec.dim, spec.architecture == Architecture::large);
  model->lm_head.weight = spec.tied ? model->embedding.weight : w.tensor(spec.vocab, spec.dim, 1);
  model->storage = w.storage();
  return model;
}

std::shared_ptr<const model::Model> with_chunk_size(const model::Model& model, std::int64_t chunk_size) {
  auto copy = std::make_shared<model::Model>(model);
  copy->config.chunk_size = chunk_size;
  return copy;
}

std::vector<TinySpec> tiny_specs() {
  std::vector<TinySpec> specs;
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    TinySpec s;
    s.name = "large_" + std::string(dtype_name(dtype));
    s.dtype = dtype;
    s.bias = dtype != DType::float16;
    s.caps = dtype != DType::float32;
    s.out_norm = dtype != DType::bfloat16;
    s.tied = dtype == DType::float16;
    specs.push_back(s);
  }
  TinySpec wide;  // a head of more than one slice of C (128), more than one block of columns in a product (256)
  wide.name = "large_wide_heads";
  wide.dtype = DType::bfloat16;
  wide.heads = 2;
  wide.qk_head = 33;
  wide.v_head = 135;
  wide.dim = 70;
  wide.ffn = 301;
  wide.vocab = 99;
  specs.push_back(wide);

  using config::Activation;
  const auto mlstm = std::nullopt;
  const auto slstm = [](std::int64_t conv, bool ffn, bool weight, Activation activation) {
    return std::optional<TinySlstm>(TinySlstm{conv, ffn, weight, activation});
  };
  specs.push_back(research("research_float32", DType::float32, {mlstm, slstm(4, true, true, Activation::gelu)}));
  specs.push_back(research("research_float16_no_conv", DType::float16,
                           {slstm(0, true, false, Activation::relu), mlstm, slstm(0, false, true, Activation::gelu)}));
  specs.push_back(research("research_bfloat16_conv_1", DType::bfloat16,
                           {mlstm, slstm(1, true, true, Activation::silu), slstm(1, false, false, Activation::gelu)}));
  specs.push_back(research("research_lstm", DType::bfloat16, {slstm(4, true, true, Activation::tanh), mlstm}));
  specs.back().function = config::SlstmFunction::lstm;
  specs.push_back(research("research_only_mlstm", DType::float32, {mlstm, mlstm}));
  specs.push_back(research("research_only_slstm", DType::float32,
                           {slstm(4, true, true, Activation::sigmoid), slstm(4, true, true, Activation::relu_squared),
                            slstm(4, true, true, Activation::selu)}));
  specs.push_back(research("research_wide", DType::float16,
                           {mlstm, slstm(4, true, true, Activation::identity)}));  // blocks wide enough for gemv
  TinySpec& widest = specs.back();
  widest.dim = 57;
  widest.v_head = 19;
  widest.qkv_block = 19;
  for (TinySpec& s : specs) {
    if (s.name == "research_bfloat16_conv_1") s.mlstm_conv = 1;
    if (s.name == "research_lstm" || s.name == "research_only_slstm") s.bias = true, s.tied = true;
    if (s.name == "research_only_mlstm") s.bias = true, s.out_norm = false;
  }
  return specs;
}

}  // namespace xlstm::testing
