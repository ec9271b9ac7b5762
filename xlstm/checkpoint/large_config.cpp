#include <cmath>
#include <utility>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/read_config.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

constexpr double kMaxFactor = 1024;

// Hugging Face writes hidden_size and embedding_dim, older files only one of them; where both stand they must agree.
void read_sizes(ConfigSection& section, config::ModelConfig& config) {
  const auto hidden = section.integer("hidden_size"), embedding = section.integer("embedding_dim");
  if (hidden && embedding && *hidden != *embedding) {
    section.refuse_value("embedding_dim", std::to_string(*hidden) + " as hidden_size has it");
  }
  config.embedding_dim = hidden.value_or(embedding.value_or(0));
  config.vocab_size = section.integer("vocab_size").value_or(0);
  // num_hidden_layers only sizes the reference's cache; it keeps its default of 32 in files that give num_blocks alone.
  const auto layers = section.integer("num_hidden_layers");
  config.num_blocks = section.integer("num_blocks").value_or(layers.value_or(0));
  if (layers && *layers != config.num_blocks) {
    log(LogLevel::debug, one_line('[' + section.file() + "] num_hidden_layers is " + std::to_string(*layers) +
                                  " but num_blocks is " + std::to_string(config.num_blocks) + ", which is used"));
  }
  config.num_heads = section.integer("num_heads").value_or(0);
}

std::optional<double> read_factor(ConfigSection& section, std::string_view key) {
  const auto factor = section.real(key, 0, true);
  if (factor && *factor > kMaxFactor) section.refuse_value(key, "a number from 0 to 1024");
  return factor;
}

std::int64_t round_up(std::int64_t size, std::int64_t multiple) { return (size + multiple - 1) / multiple * multiple; }

// The layers truncate; the JAX trainer rounds up to a multiple of 64.
void read_head_widths(ConfigSection& section, Checkpoint& checkpoint) {
  const auto dim = static_cast<double>(checkpoint.config.embedding_dim);
  const auto add = [&](std::string_view key, std::vector<std::int64_t>& widths) {
    const std::optional<double> factor = read_factor(section, key);
    if (!factor || dim == 0) return;
    const auto truncated = static_cast<std::int64_t>(dim * *factor);
    widths = {truncated, round_up(truncated, 64)};
  };
  add("qk_dim_factor", checkpoint.widths.qk_dim);
  add("v_dim_factor", checkpoint.widths.v_dim);
}

// Torch drops an overshoot of less than one (reference Q13); the JAX trainer uses a true ceiling.
void read_ffn_width(ConfigSection& section, Checkpoint& checkpoint) {
  const std::optional<double> factor = read_factor(section, "ffn_proj_factor");
  const auto multiple = section.integer("ffn_round_up_to_multiple_of", 1, 1 << 20).value_or(64);
  if (!factor || checkpoint.config.embedding_dim == 0) return;
  const double exact = static_cast<double>(checkpoint.config.embedding_dim) * *factor;
  const auto torch = static_cast<std::int64_t>(
      std::floor((exact + static_cast<double>(multiple - 1)) / static_cast<double>(multiple)));
  const auto ceiling = static_cast<std::int64_t>(std::ceil(exact / static_cast<double>(multiple)));
  checkpoint.widths.ffn_dim = {torch * multiple, ceiling * multiple};
}

std::optional<float> read_soft_cap(ConfigSection& section, std::string_view key, float fallback) {
  const auto cap = section.real(key, 0, true);
  if (section.is_null(key)) return std::nullopt;  // no cap
  return cap ? static_cast<float>(*cap) : fallback;
}

// Kernel names choose between roundings of the same mathematics, except those of the sigmoid input gate
// (reference 2.6).
void check_kernels(ConfigSection& section) {
  for (const char* key : {"chunkwise_kernel", "sequence_kernel", "step_kernel"}) {
    const auto name = section.string(key);
    if (name && name->find("siging") != std::string::npos) {
      section.refuse_unsupported(key, "a kernel with the exponential input gate");
    }
  }
}

void check_architecture(ConfigSection& section) {
  const auto type = section.string("model_type");
  if (type && *type != "xlstm") section.refuse_unsupported("model_type", "\"xlstm\"");
  for (const char* key : {"add_qk_norm", "add_post_norm", "gate_linear_headwise"}) {
    section.refuse_if_set(key, "it changes the architecture");
  }
  check_kernels(section);
  const auto mode = section.string("mode");
  if (mode && *mode != "inference" && *mode != "train" && *mode != "train_with_padding") {
    section.refuse_value("mode", "\"inference\", \"train\" or \"train_with_padding\"");
  }
}

// Keys of published configs that no code reads, or that only choose a rounding: state, gates and sums are float32 here.
void ignore_known(ConfigSection& section) {
  section.ignore({"architectures",
                  "transformers_version",
                  "torch_dtype",
                  "dtype",
                  "use_cache",
                  "pad_token_id",
                  "_name_or_path",
                  "return_last_states",
                  "autocast_kernel_dtype",
                  "inference_state_dtype",
                  "max_inference_chunksize",
                  "norm_reduction_force_float32",
                  "add_embedding_dropout",
                  "add_forward_backend_padding",
                  "add_post_blocks_norm",
                  "cell_norm_eps",
                  "forward_backend_name",
                  "step_backend_name",
                  "head_dim",
                  "gate_bias",
                  "igate_bias_init_range",
                  "mlstm_round_up_to_multiple_of",
                  "norm_type",
                  "is_encoder_decoder",
                  "output_attentions",
                  "output_hidden_states",
                  "return_dict",
                  "chunk_size_feed_forward",
                  "id2label",
                  "label2id",
                  "problem_type"});
}

std::vector<TokenId> narrow_ids(const std::vector<std::int64_t>& ids) { return {ids.begin(), ids.end()}; }

void read_token_ids(ConfigSection& section, config::ModelConfig& config) {
  constexpr auto kMax = std::numeric_limits<TokenId>::max();
  if (section.is_null("bos_token_id")) config.bos_token_id = std::nullopt;
  if (const auto bos = section.integer("bos_token_id", 0, kMax)) config.bos_token_id = static_cast<TokenId>(*bos);
  if (const auto eos = section.integers("eos_token_id", 0, kMax)) config.eos_token_ids = narrow_ids(*eos);
}

}  // namespace

void read_large_config(ConfigSection& section, Checkpoint& checkpoint) {
  config::ModelConfig& config = checkpoint.config;
  config.architecture = config::Architecture::large;
  check_architecture(section);
  read_sizes(section, config);
  read_head_widths(section, checkpoint);
  read_ffn_width(section, checkpoint);
  config.use_bias = section.boolean("use_bias").value_or(false);
  config.norm_eps = static_cast<float>(section.real("norm_eps", 0).value_or(1e-6));
  config.mlstm_eps = static_cast<float>(section.real("eps", 0).value_or(1e-6));
  config.gate_soft_cap = read_soft_cap(section, "gate_soft_cap", 15.0f);
  config.output_logit_soft_cap = read_soft_cap(section, "output_logit_soft_cap", 30.0f);
  config.chunk_size = section.integer("chunk_size", 1, 1 << 20).value_or(64);
  const bool add_out_norm = section.boolean("add_out_norm").value_or(true);
  const bool tie = section.boolean("tie_word_embeddings").value_or(false);
  const bool package = checkpoint.layout == Layout::package;
  config.add_out_norm = add_out_norm || !package;  // Hugging Face always has the norm
  config.tie_weights = tie && !package;            // model/ drops it when the file has a head of its own
  const auto mode = section.string("weight_mode");
  if (mode && *mode != "single" && *mode != "fused") section.refuse_value("weight_mode", "\"single\" or \"fused\"");
  checkpoint.fused_weights = mode == "fused";
  config.bos_token_id = 0;
  read_token_ids(section, config);
  config.force_bos_token_insert = section.boolean("force_bos_token_insert").value_or(true);
  ignore_known(section);
}

void read_generation_config(ConfigSection& section, config::ModelConfig& config) { read_token_ids(section, config); }

}  // namespace xlstm::checkpoint
