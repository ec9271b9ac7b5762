// Networks of a few thousand random weights with sizes that are multiples of nothing, made in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/model/model.h"

namespace xlstm::testing {

/// An sLSTM block's own choices.
struct TinySlstm {
  std::int64_t conv_kernel = 4;
  bool ffn = true;
  bool norm_weight = true;
  config::Activation activation = config::Activation::gelu;
};

/// What to build. The defaults: D 21, 3 heads, dqk 5, dv 7, F 13, V 11.
struct TinySpec {
  std::string name;
  config::Architecture architecture = config::Architecture::large;
  DType dtype = DType::float32;
  std::int64_t dim = 21, heads = 3, qk_head = 5, v_head = 7, ffn = 13, vocab = 11;  // research: DH = v_head
  std::int64_t chunk_size = 64;
  bool bias = false;
  bool caps = true;  // large: of gates and logits
  bool out_norm = true;
  bool tied = false;
  std::int64_t qkv_block = 3;   // research
  std::int64_t mlstm_conv = 4;  // research
  config::SlstmFunction function = config::SlstmFunction::slstm;
  std::vector<std::optional<TinySlstm>> blocks = {std::nullopt, std::nullopt};  // nullopt: mLSTM
};

/// Weights are of size 1 / sqrt(inputs), so activations stay of size 1; gates are spread over several units.
std::shared_ptr<const model::Model> make_tiny_model(const TinySpec& spec);

/// The same weights, another chunk_size.
std::shared_ptr<const model::Model> with_chunk_size(const model::Model& model, std::int64_t chunk_size);

/// One of each kind worth testing: both architectures, the three dtypes, every option on and off.
std::vector<TinySpec> tiny_specs();

}  // namespace xlstm::testing
