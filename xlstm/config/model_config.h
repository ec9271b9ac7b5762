// What a checkpoint says about its network, free of any file format. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/token_id.h"

namespace xlstm::config {

/// The two networks (reference sections 1 and 3): xLSTM-large (mLSTM + gated FFN blocks) and the research block stack.
enum class Architecture { large, research };
enum class BlockKind { mlstm, slstm };
enum class SlstmFunction { slstm, lstm };
enum class Activation { gelu, relu, relu_squared, silu, selu, tanh, sigmoid, identity };

std::string_view architecture_name(Architecture architecture) noexcept;
std::string_view block_kind_name(BlockKind kind) noexcept;
std::string_view activation_name(Activation activation) noexcept;
/// "gelu", "relu", "relu^2", "silu"/"swish", "selu", "tanh", "sigmoid", "identity": those of the reference and a few
/// more. Errors: unsupported, naming the value.
Activation activation_from_name(std::string_view name);

/// Fields keep the checkpoint's spelling where it has one. Sizes come from tensor shapes (reference 1.2).
struct ModelConfig {
  Architecture architecture = Architecture::large;
  std::string layout;  // "huggingface", "package" or "research": the file layout it was read from
  std::int64_t vocab_size = 0;
  std::int64_t embedding_dim = 0;  // D
  std::int64_t num_blocks = 0;
  std::vector<BlockKind> blocks;  // kind of each block, num_blocks entries
  bool tie_weights = false;       // lm_head is the embedding
  bool use_bias = false;          // large: biases of projections, FFN and norms
  bool add_out_norm = true;       // large: final RMSNorm; research: add_post_blocks_norm
  float norm_eps = 1e-6f;         // 1e-6 (large), 1e-5 (research)

  // mLSTM cell. Research: qk_dim == v_dim == inner width Di.
  std::int64_t num_heads = 0;  // NH
  std::int64_t qk_dim = 0;     // all heads together
  std::int64_t v_dim = 0;
  float mlstm_eps = 1e-6f;
  std::optional<float> gate_soft_cap;          // large only
  std::optional<float> output_logit_soft_cap;  // large only
  std::int64_t chunk_size = 64;
  std::int64_t ffn_dim = 0;  // large: F

  // Research layout only.
  std::int64_t mlstm_conv1d_kernel_size = 4;
  std::int64_t qkv_proj_blocksize = 4;
  std::int64_t slstm_num_heads = 0;
  std::int64_t slstm_conv1d_kernel_size = 4;  // 0: no convolution
  SlstmFunction slstm_function = SlstmFunction::slstm;
  bool slstm_group_norm_weight = true;
  bool slstm_has_ffn = true;
  std::int64_t slstm_ffn_dim = 0;
  Activation slstm_ffn_activation = Activation::gelu;

  // Text front end (reference 1.9). Empty / nullopt: none.
  std::optional<TokenId> bos_token_id;
  std::vector<TokenId> eos_token_ids;  // as the files have them
  bool force_bos_token_insert = true;

  std::int64_t qk_head_dim() const noexcept { return num_heads ? qk_dim / num_heads : 0; }
  std::int64_t v_head_dim() const noexcept { return num_heads ? v_dim / num_heads : 0; }
  std::int64_t slstm_head_dim() const noexcept { return slstm_num_heads ? embedding_dim / slstm_num_heads : 0; }
};

}  // namespace xlstm::config
