#include "xlstm/quantize/convert.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "xlstm/checkpoint/quantization_config.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/model/tensor_binder.h"
#include "xlstm/quantize/output_config.h"

namespace xlstm::quantize {
namespace {

using checkpoint::Layout;

constexpr const char* kOutNormBias = "backbone.out_norm.bias";

// A layer, and its rows in a fused tensor.
struct FusedPart {
  const char* name;
  std::int64_t rows;
};

// The layers that the tensors of a fused module hold one below the other (reference 1.4); none when it is not fused.
std::vector<FusedPart> fused_parts(std::string_view module, const config::ModelConfig& config) {
  const std::int64_t qk = config.qk_dim, v = config.v_dim, heads = config.num_heads, ffn = config.ffn_dim;
  if (module.ends_with(".qkv_opreact")) return {{"q", qk}, {"k", qk}, {"v", v}, {"ogate_preact", v}};
  if (module.ends_with(".ifgate_preact")) return {{"igate_preact", heads}, {"fgate_preact", heads}};
  if (module.ends_with(".proj_up_gate_z")) return {{"proj_up_gate", ffn}, {"proj_up", ffn}};
  return {};
}

class Converter {
 public:
  Converter(const Source& source, const ConvertOptions& options)
      : source_(source), options_(options), layout_(options.layout.value_or(source.checkpoint.layout)) {
    if (layout_ != source.checkpoint.layout) check_expressible();
  }

  std::vector<Rewrite> rewrites() {
    for (const std::string& name : source_.names()) {
      const auto scales = module_of(name, "scales"), biases = module_of(name, "biases");
      if (scales || biases) continue;  // with their weight
      if (dropped(name)) continue;
      const std::size_t dot = name.rfind('.');
      add(name.substr(0, dot), dot == std::string::npos ? "" : name.substr(dot));
    }
    if (to_package()) add_what_the_package_wants();
    return std::move(rewrites_);
  }

  Output output(const std::vector<Rewrite>& rewrites) const {
    Output output = {options_.output, layout_, options_.max_shard_bytes, source_.config};
    if (layout_ != source_.checkpoint.layout) {
      output.config = to_package() ? quantize::to_package(source_) : to_huggingface(source_);
    }
    if (options_.dtype) {
      set_dtype(output.config, *options_.dtype);
      erase_quantization(output.config);
    } else if (source_.checkpoint.quantization) {
      checkpoint::set_quantization(output.config, source_.checkpoint.quantization->format,
                                   quantized_modules(source_, rewrites));
    }
    return output;
  }

 private:
  bool to_package() const { return layout_ == Layout::package && source_.checkpoint.layout == Layout::huggingface; }
  bool to_hf() const { return layout_ == Layout::huggingface && source_.checkpoint.layout == Layout::package; }

  void check_expressible() const {
    const char* reason = nullptr;
    if (source_.checkpoint.layout == Layout::research) reason = "the xLSTM block stack";
    if (to_hf() && !source_.model->out_norm) reason = "a network without the final norm";
    if (to_hf() && source_.model->out_norm && !is_zero(source_.model->out_norm->bias)) {
      reason = "a final norm with a bias";
    }
    if (reason == nullptr) return;
    checkpoint::refuse(ErrorCode::unsupported, source_.checkpoint.source,
                       "--layout: expected what the other layout can hold but got ", reason);
  }

  static bool is_zero(const FloatArray& values) {
    return std::all_of(values.span().begin(), values.span().end(), [](float value) { return value == 0; });
  }

  bool dropped(const std::string& name) const { return to_hf() && name == kOutNormBias; }

  std::string renamed(const std::string& module) const {
    if (to_package() && module == "backbone.embeddings") return "embedding";
    if (to_hf() && module == "embedding") return "backbone.embeddings";
    return module;
  }

  // Tensor <module><part>, and what belongs to it when it is a quantised weight.
  void add(const std::string& module, const std::string& part) {
    const model::Matrix whole = part == ".weight"
                                    ? source_.matrix(module)
                                    : model::Matrix{source_.checkpoint.tensors.at(module + part), std::nullopt};
    const std::vector<FusedPart> parts = fused_parts(module, source_.model->config);
    if (parts.empty() || !to_package()) return add(renamed(module) + part, whole);
    std::int64_t begin = 0;
    for (const FusedPart& layer : parts) {
      add(module.substr(0, module.rfind('.') + 1) + layer.name + part, slice_rows(whole, begin, layer.rows));
      begin += layer.rows;
    }
  }

  void add(const std::string& name, const model::Matrix& matrix) {
    if (options_.dtype) {
      rewrites_.push_back({name, matrix, *options_.dtype, std::nullopt});
      return;
    }
    const auto as_it_is = [&](const std::string& to, const TensorView& tensor) {
      rewrites_.push_back({to, {tensor, std::nullopt}, tensor.dtype, std::nullopt});
    };
    as_it_is(name, matrix.weight);
    if (!matrix.groups) return;
    const std::string module = module_of(name, "weight").value();
    as_it_is(module + ".scales", matrix.groups->scales);
    as_it_is(module + ".biases", matrix.groups->biases);
  }

  // It ties nothing, and with biases its final norm has one too.
  void add_what_the_package_wants() {
    if (source_.model->config.tie_weights) add("lm_head.weight", source_.matrix("backbone.embeddings"));
    if (!source_.model->config.use_bias) return;
    const auto size = static_cast<std::size_t>(source_.model->config.embedding_dim);
    zeros_.resize(size);
    const auto* data = reinterpret_cast<const std::byte*>(zeros_.data());
    const TensorView zeros = {kOutNormBias, DType::float32, {static_cast<std::int64_t>(size)}, data, ""};
    rewrites_.push_back({kOutNormBias, {zeros, std::nullopt}, options_.dtype.value_or(DType::float32), std::nullopt});
  }

  const Source& source_;
  const ConvertOptions& options_;
  Layout layout_;
  std::vector<Rewrite> rewrites_;
  std::vector<float> zeros_;
};

}  // namespace

Report convert(const checkpoint::FileSource& files, const ConvertOptions& options, const Callbacks& callbacks) {
  const Source source = open_source(files);
  Converter converter(source, options);
  const std::vector<Rewrite> rewrites = converter.rewrites();
  return write_checkpoint(source, rewrites, converter.output(rewrites), callbacks);
}

}  // namespace xlstm::quantize
