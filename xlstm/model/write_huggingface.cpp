#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/quantization_config.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/model/synthetic.h"

namespace xlstm::model {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Every tensor of a network under its Hugging Face name, in the order of evaluation.
class Exporter {
 public:
  explicit Exporter(const Model& model) : model_(model) {
    matrix("backbone.embeddings", model.embedding);
    for (std::size_t b = 0; b < model.blocks.size(); ++b) {
      block("backbone.blocks." + std::to_string(b) + '.', std::get<LargeBlock>(model.blocks[b]));
    }
    norm("backbone.out_norm", *model.out_norm);
    if (!model.config.tie_weights) matrix("lm_head", model.lm_head);
  }
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const std::map<std::string, config::AffineFormat>& quantized() const { return quantized_; }

 private:
  void view(const std::string& name, TensorView tensor) {
    tensor.name = name;
    tensors_.push_back(std::move(tensor));
  }

  void matrix(const std::string& prefix, const Matrix& matrix) {
    view(prefix + ".weight", matrix.weight);
    if (!matrix.groups) return;
    view(prefix + ".scales", matrix.groups->scales);
    view(prefix + ".biases", matrix.groups->biases);
    quantized_[prefix] = {matrix.groups->bits, matrix.groups->group_size};
  }

  // Vectors are float32 in memory. They go back to the type of the matrices unless that would change a value.
  void vector(const std::string& name, const FloatArray& values) {
    if (values.empty()) return;
    const std::size_t size = values.size();
    std::vector<std::byte>& narrow = owned_.emplace_back(size * dtype_size(model_.dtype));
    std::vector<float> back(size);
    narrow_from_float32(model_.dtype, values.data(), size, narrow.data());
    widen_to_float32(model_.dtype, narrow.data(), size, back.data());
    const bool exact = std::memcmp(back.data(), values.data(), size * sizeof(float)) == 0;
    const std::byte* const data = exact ? narrow.data() : reinterpret_cast<const std::byte*>(values.data());
    tensors_.push_back({name, exact ? model_.dtype : DType::float32, {static_cast<std::int64_t>(size)}, data, ""});
  }

  void linear(const std::string& prefix, const Linear& layer) {
    matrix(prefix, layer);
    vector(prefix + ".bias", layer.bias);
  }

  void norm(const std::string& prefix, const Norm& norm) {
    vector(prefix + ".weight", norm.weight);
    vector(prefix + ".bias", norm.bias);
  }

  void block(const std::string& prefix, const LargeBlock& block) {
    const std::string layer = prefix + "mlstm_layer.", ffn = prefix + "ffn.";
    norm(prefix + "norm_mlstm", block.norm_mlstm);
    linear(layer + "q", block.q);
    linear(layer + "k", block.k);
    linear(layer + "v", block.v);
    linear(layer + "ogate_preact", block.ogate);
    linear(layer + "igate_preact", block.igate);
    linear(layer + "fgate_preact", block.fgate);
    norm(layer + "multihead_norm", block.multihead_norm);
    linear(layer + "out_proj", block.out_proj);
    norm(prefix + "norm_ffn", block.norm_ffn);
    linear(ffn + "proj_up_gate", block.ffn_gate);
    linear(ffn + "proj_up", block.ffn_up);
    linear(ffn + "proj_down", block.ffn_down);
  }

  const Model& model_;
  std::vector<TensorView> tensors_;
  std::map<std::string, config::AffineFormat> quantized_;
  std::deque<std::vector<std::byte>> owned_;
};

// The shortest decimal that is this float again: 1e-06 and not 9.999999974752427e-07.
double shortest(float value) {
  std::array<char, 32> text{};
  std::to_chars(text.data(), text.data() + text.size() - 1, value);
  return std::strtod(text.data(), nullptr);
}

json soft_cap(const std::optional<float>& cap) { return cap ? json(shortest(*cap)) : json(nullptr); }

// A factor f with int(dim * f) == width, as the torch code computes it.
double width_factor(std::int64_t width, std::int64_t dim) {
  const double factor = static_cast<double>(width) / static_cast<double>(dim);
  if (static_cast<std::int64_t>(static_cast<double>(dim) * factor) == width) return factor;
  return (static_cast<double>(width) + 0.5) / static_cast<double>(dim);
}

std::int64_t torch_ffn_width(double factor, std::int64_t multiple, std::int64_t dim) {
  const double exact = static_cast<double>(dim) * factor + static_cast<double>(multiple - 1);
  return static_cast<std::int64_t>(exact / static_cast<double>(multiple)) * multiple;
}

// Published files have 2.6667 and 64; other widths get a factor of their own. The half is dropped by the formula, and
// saves the width from a product that rounds below it.
void set_ffn_factor(json& keys, std::int64_t ffn_dim, std::int64_t dim) {
  const std::int64_t multiple = ffn_dim % 64 == 0 ? 64 : 1;
  const bool usual = torch_ffn_width(2.6667, multiple, dim) == ffn_dim;
  keys["ffn_proj_factor"] = usual ? 2.6667 : (static_cast<double>(ffn_dim) + 0.5) / static_cast<double>(dim);
  keys["ffn_round_up_to_multiple_of"] = multiple;
}

json make_config_json(const Model& model) {
  const config::ModelConfig& config = model.config;
  json keys = {{"architectures", {"xLSTMForCausalLM"}},
               {"model_type", "xlstm"},
               {"dtype", dtype_name(model.dtype)},
               {"vocab_size", config.vocab_size},
               {"hidden_size", config.embedding_dim},
               {"embedding_dim", config.embedding_dim},
               {"num_hidden_layers", config.num_blocks},
               {"num_blocks", config.num_blocks},
               {"num_heads", config.num_heads},
               {"qk_dim_factor", width_factor(config.qk_dim, config.embedding_dim)},
               {"v_dim_factor", width_factor(config.v_dim, config.embedding_dim)},
               {"use_bias", config.use_bias},
               {"add_out_norm", true},
               {"tie_word_embeddings", config.tie_weights},
               {"weight_mode", "single"},
               {"norm_eps", shortest(config.norm_eps)},
               {"eps", shortest(config.mlstm_eps)},
               {"norm_reduction_force_float32", true},
               {"gate_soft_cap", soft_cap(config.gate_soft_cap)},
               {"output_logit_soft_cap", soft_cap(config.output_logit_soft_cap)},
               {"chunk_size", config.chunk_size},
               {"chunkwise_kernel", "chunkwise--native_autograd"},
               {"sequence_kernel", "native_sequence__native"},
               {"step_kernel", "native"},
               {"mode", "inference"},
               {"return_last_states", true},
               {"autocast_kernel_dtype", "bfloat16"},
               {"inference_state_dtype", "float32"},
               {"max_inference_chunksize", 16384},
               {"use_cache", true},
               {"pad_token_id", 1},
               {"force_bos_token_insert", config.force_bos_token_insert}};
  keys["bos_token_id"] = config.bos_token_id ? json(*config.bos_token_id) : json(nullptr);
  if (config.eos_token_ids.size() == 1) {
    keys["eos_token_id"] = config.eos_token_ids.front();
  } else if (!config.eos_token_ids.empty()) {
    keys["eos_token_id"] = config.eos_token_ids;
  }
  set_ffn_factor(keys, config.ffn_dim, config.embedding_dim);
  return keys;
}

std::vector<std::size_t> bytes_of(const std::vector<TensorView>& tensors) {
  std::vector<std::size_t> bytes;
  bytes.reserve(tensors.size());
  for (const TensorView& tensor : tensors) bytes.push_back(tensor.nbytes());
  return bytes;
}

// Weights of another model beside ours would be read with them, or instead of them.
void refuse_other_weights(const fs::path& directory, const std::vector<std::string>& names) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool is_weights = name.ends_with(".safetensors") || (name == checkpoint::kIndexName && names.size() == 1);
    if (is_weights && std::find(names.begin(), names.end(), name) == names.end()) {
      fail(ErrorCode::invalid_argument, directory.string(), "expected a directory without other weights but got ",
           name);
    }
  }
}

void check_expressible(const Model& model) {
  const char* reason = nullptr;
  if (model.config.architecture != config::Architecture::large) {
    reason = "the xLSTM block stack";
  } else if (!model.out_norm) {
    reason = "a network without the final norm";
  } else if (!model.out_norm->bias.empty()) {
    reason = "a final norm with a bias";
  }
  if (reason) fail(ErrorCode::unsupported, "write", "expected what the Hugging Face layout can hold but got ", reason);
}

}  // namespace

void write_huggingface(const Model& model, const fs::path& directory, std::size_t max_shard_bytes) {
  check_expressible(model);
  const Exporter exporter(model);
  const std::vector<TensorView>& tensors = exporter.tensors();
  const std::map<std::string, config::AffineFormat>& quantized = exporter.quantized();
  const std::vector<std::size_t> ends = checkpoint::cut_into_shards(bytes_of(tensors), max_shard_bytes);
  const std::vector<std::string> names = checkpoint::shard_names(ends.size());
  std::error_code error;
  fs::create_directories(directory, error);
  if (error)
    fail(ErrorCode::internal, directory.string(), "expected to create the directory but got: ", error.message());
  refuse_other_weights(directory, names);

  std::map<std::string, std::string> weight_map;
  std::size_t total = 0, begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    std::vector<TensorView> shard(tensors.begin() + static_cast<std::ptrdiff_t>(begin),
                                  tensors.begin() + static_cast<std::ptrdiff_t>(ends[i]));
    checkpoint::order_for_alignment(shard);
    checkpoint::write_safetensors(directory / names[i], shard, {{"format", quantized.empty() ? "pt" : "mlx"}});
    for (const TensorView& tensor : shard) {
      weight_map[tensor.name] = names[i];
      total += tensor.nbytes();
    }
    begin = ends[i];
  }
  if (ends.size() > 1) checkpoint::write_index(directory, weight_map, total);
  json config = make_config_json(model);
  if (!quantized.empty()) checkpoint::set_quantization(config, quantized.begin()->second, quantized);
  // Last: without it the directory is no checkpoint.
  checkpoint::write_text(directory / "config.json", config.dump(2) + "\n");
}

}  // namespace xlstm::model
