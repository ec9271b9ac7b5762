#include "xlstm/quantize/output_config.h"

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::quantize {
namespace {

using nlohmann::json;

// Fields of the package's config class with the values that Hugging Face takes where its file says nothing.
json package_fields() {
  return {{"use_bias", false},
          {"norm_eps", 1e-6},
          {"norm_reduction_force_float32", true},
          {"add_out_norm", true},
          {"qk_dim_factor", 0.5},
          {"v_dim_factor", 1.0},
          {"chunkwise_kernel", "chunkwise--native_autograd"},
          {"sequence_kernel", "native_sequence__native"},
          {"step_kernel", "native"},
          {"mode", "inference"},
          {"chunk_size", 64},
          {"return_last_states", true},
          {"autocast_kernel_dtype", "bfloat16"},
          {"eps", 1e-6},
          {"inference_state_dtype", "float32"},
          {"ffn_proj_factor", 2.667},
          {"ffn_round_up_to_multiple_of", 64},
          {"gate_soft_cap", 15.0},
          {"output_logit_soft_cap", 30.0}};
}

void set_sizes(json& config, const config::ModelConfig& sizes) {
  config["vocab_size"] = sizes.vocab_size;
  config["embedding_dim"] = sizes.embedding_dim;
  config["num_blocks"] = sizes.num_blocks;
  config["num_heads"] = sizes.num_heads;
}

}  // namespace

void set_dtype(json& config, DType dtype) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    if (config.contains(key)) config[key] = dtype_name(dtype);
  }
}

void erase_quantization(json& config) {
  config.erase("quantization");
  config.erase("quantization_config");
}

json to_package(const Source& source) {
  json config = package_fields();
  for (const auto& [key, value] : source.config.items()) {
    if (config.contains(key)) config[key] = value;
  }
  set_sizes(config, source.model->config);
  config["add_out_norm"] = true;     // Hugging Face has the norm whatever its file says
  config["weight_mode"] = "single";  // the package reads no other
  if (!source.model->config.force_bos_token_insert) {
    log(LogLevel::warning, checkpoint::one_line('[' + source.checkpoint.config_file +
                                                    "] force_bos_token_insert: the package layout has no place for "
                                                    "false, its readers put the BOS in front",
                                                1000));
  }
  return config;
}

json to_huggingface(const Source& source) {
  const config::ModelConfig& model = source.model->config;
  json config = package_fields();
  config["ffn_proj_factor"] = 2.6667;  // the package's own default
  config.update(source.config);
  set_sizes(config, model);
  config.update({{"architectures", {"xLSTMForCausalLM"}},
                 {"model_type", "xlstm"},
                 {"dtype", dtype_name(source.model->dtype)},
                 {"hidden_size", model.embedding_dim},
                 {"num_hidden_layers", model.num_blocks},
                 {"tie_word_embeddings", false},
                 {"mode", "inference"},
                 {"return_last_states", true},
                 {"use_cache", true},
                 {"bos_token_id", model.bos_token_id ? json(*model.bos_token_id) : json()},
                 {"eos_token_id", model.eos_token_ids.empty() ? json() : json(model.eos_token_ids)}});
  return config;
}

}  // namespace xlstm::quantize
