#include <algorithm>
#include <cmath>
#include <string>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/read_config.h"
#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {
namespace {

using nlohmann::json;

// Width of an up-projection (reference 3.1): rounded up or down to a multiple. Empty when the factor is not given.
std::vector<std::int64_t> read_up_width(ConfigSection& section, std::int64_t embedding_dim) {
  const auto factor = section.real("proj_factor", 0, true);
  if (factor && *factor > 1024) section.refuse_value("proj_factor", "a number from 0 to 1024");
  const bool up = section.boolean("round_proj_up_dim_up").value_or(true);
  const auto multiple = section.integer("round_proj_up_to_multiple_of", 1, 1 << 20).value_or(64);
  if (!factor || embedding_dim == 0) return {};
  const double steps = static_cast<double>(embedding_dim) * *factor / static_cast<double>(multiple);
  return {static_cast<std::int64_t>(up ? std::ceil(steps) : std::floor(steps)) * multiple};
}

void read_mlstm(ConfigSection& section, Checkpoint& checkpoint) {
  config::ModelConfig& config = checkpoint.config;
  config.num_heads = section.integer("num_heads").value_or(0);
  config.qkv_proj_blocksize = section.integer("qkv_proj_blocksize").value_or(0);
  config.mlstm_conv1d_kernel_size = section.integer("conv1d_kernel_size", 0, 1 << 16).value_or(4);
  if (config.mlstm_conv1d_kernel_size == 0) {
    section.refuse_unsupported("conv1d_kernel_size", "at least 1 (an mLSTM layer has no form without a convolution)");
  }
  checkpoint.widths.v_dim = read_up_width(section, config.embedding_dim);
  section.ignore({"embedding_dim", "bias", "dropout", "context_length", "_num_blocks", "_inner_embedding_dim",
                  "_proj_up_dim", "_block_idx"});
  section.note_unknown();
}

void read_slstm(ConfigSection& section, config::ModelConfig& config) {
  config.slstm_num_heads = section.integer("num_heads").value_or(0);
  config.slstm_conv1d_kernel_size = section.integer("conv1d_kernel_size", 0, 1 << 16).value_or(4);
  config.slstm_group_norm_weight = section.boolean("group_norm_weight").value_or(true);
  const std::string function = section.string("function").value_or("slstm");
  if (function != "slstm" && function != "lstm") section.refuse_unsupported("function", "\"slstm\" or \"lstm\"");
  config.slstm_function = function == "lstm" ? config::SlstmFunction::lstm : config::SlstmFunction::slstm;
  const auto backend = section.string("backend");
  if (backend && *backend != "vanilla" && *backend != "cuda")
    section.refuse_value("backend", "\"vanilla\" or \"cuda\"");
  if (section.integer("num_gates").value_or(4) != 4) section.refuse_unsupported("num_gates", "4");
  // The clip of the forward pass exists in one backend only and follows the gradient's value (reference Q18): avoided.
  section.ignore({"embedding_dim",
                  "hidden_size",
                  "num_states",
                  "bias_init",
                  "recurrent_weight_init",
                  "_block_idx",
                  "_num_blocks",
                  "gradient_recurrent_cut",
                  "gradient_recurrent_clipval",
                  "forward_clipval",
                  "batch_size",
                  "input_shape",
                  "internal_input_shape",
                  "output_shape",
                  "constants",
                  "dtype",
                  "dtype_b",
                  "dtype_r",
                  "dtype_w",
                  "dtype_g",
                  "dtype_s",
                  "dtype_a",
                  "enable_automatic_mixed_precision",
                  "initial_val",
                  "dropout"});
  section.note_unknown();
}

void read_feedforward(ConfigSection& section, Checkpoint& checkpoint) {
  const std::string name = section.string("act_fn").value_or("gelu");
  try {
    checkpoint.config.slstm_ffn_activation = config::activation_from_name(name);
  } catch (const Error& error) {
    refuse(error.code(), section.file(), "slstm_block.feedforward: ", error.what());
  }
  const std::string type = section.string("ff_type").value_or("ffn_gated");
  if (type != "ffn_gated") section.refuse_unsupported("ff_type", "\"ffn_gated\"");
  checkpoint.slstm_ffn_bias = section.boolean("bias").value_or(false);
  checkpoint.widths.slstm_ffn_dim = read_up_width(section, checkpoint.config.embedding_dim);
  section.ignore({"embedding_dim", "dropout", "_num_blocks", "_proj_up_dim"});
  section.note_unknown();
}

// "all", or a list of block indices; counted from the end when negative, as the reference does. Without an mlstm_block:
// all.
void read_block_kinds(ConfigSection& section, bool has_mlstm, config::ModelConfig& config) {
  config.blocks.assign(static_cast<std::size_t>(config.num_blocks), config::BlockKind::mlstm);
  const bool all = section.is_string("slstm_at") && section.string("slstm_at") == "all";
  if (!has_mlstm || all) {
    section.ignore({"slstm_at"});
    config.blocks.assign(config.blocks.size(), config::BlockKind::slstm);
    return;
  }
  const std::string expected = "\"all\" or a list of block indices below " + std::to_string(config.num_blocks);
  const auto indices = section.list("slstm_at", expected);
  for (const std::int64_t index : indices) {
    const std::int64_t block = index < 0 ? index + config.num_blocks : index;
    if (block < 0 || block >= config.num_blocks) section.refuse_value("slstm_at", expected);
    config.blocks[static_cast<std::size_t>(block)] = config::BlockKind::slstm;
  }
}

void read_blocks(ConfigSection& section, Checkpoint& checkpoint) {
  config::ModelConfig& config = checkpoint.config;
  std::optional<ConfigSection> mlstm_block = section.section("mlstm_block"),
                               slstm_block = section.section("slstm_block");
  read_block_kinds(section, mlstm_block.has_value(), config);
  if (mlstm_block) {
    if (auto mlstm = mlstm_block->section("mlstm")) read_mlstm(*mlstm, checkpoint);
    mlstm_block->ignore({"_num_blocks", "_block_idx"});
    mlstm_block->note_unknown();
  }
  const bool any_slstm =
      std::find(config.blocks.begin(), config.blocks.end(), config::BlockKind::slstm) != config.blocks.end();
  if (!slstm_block && any_slstm)
    section.refuse_value("slstm_block", "a mapping, since slstm_at asks for sLSTM blocks,");
  if (!slstm_block) return;
  if (auto slstm = slstm_block->section("slstm")) read_slstm(*slstm, config);
  config.slstm_has_ffn = !slstm_block->is_null("feedforward");
  if (auto feedforward = slstm_block->section("feedforward")) read_feedforward(*feedforward, checkpoint);
  slstm_block->ignore({"_num_blocks", "_block_idx"});
  slstm_block->note_unknown();
}

}  // namespace

bool is_research_config(const json& root) { return root.contains("mlstm_block") || root.contains("slstm_block"); }

void read_research_config(ConfigSection& section, Checkpoint& checkpoint) {
  config::ModelConfig& config = checkpoint.config;
  config.architecture = config::Architecture::research;
  config.norm_eps = 1e-5f;
  config.vocab_size = section.integer("vocab_size").value_or(0);
  config.embedding_dim = section.integer("embedding_dim").value_or(0);
  config.tie_weights = section.boolean("tie_weights").value_or(false);
  config.add_out_norm = section.boolean("add_post_blocks_norm").value_or(true);
  checkpoint.research_bias = section.boolean("bias").value_or(false);
  read_blocks(section, checkpoint);
  // context_length bounds only the reference's parallel form; here sequences have any length.
  section.ignore(
      {"num_blocks", "context_length", "dropout", "add_embedding_dropout", "weight_decay_on_embedding", "_block_map"});
}

}  // namespace xlstm::checkpoint
