#include "xlstm/backend/mlx/network.h"

#include <variant>

namespace xlstm::backend::mlx {
namespace {

mx::array token_array(std::span<const TokenId> tokens) {
  return mx::array(tokens.data(), {static_cast<mx::ShapeElem>(tokens.size())}, mx::int32);
}

// Ends the graph of a segment: unbounded graphs would run into MLX's limit on tasks (10 for the whole process).
void evaluate(NetworkOutput& out) {
  std::vector<mx::array> all;
  for (mx::array& tensor : out.state) {
    tensor = mx::contiguous(tensor);
    all.push_back(tensor);
  }
  if (out.logits) all.push_back(*out.logits);
  mx::eval(std::move(all));
}

}  // namespace

Network::Network(const model::Model& model)
    : embedding_(mx::array(0.0f)),
      first_tensor_(model.state_spec.first_tensor),
      output_soft_cap_(model.config.output_logit_soft_cap) {
  WeightUploader uploader;
  embedding_ = uploader.matrix(model.embedding);
  for (const model::Block& block : model.blocks) {
    blocks_.push_back(std::visit([&](const auto& b) { return make_block(b, model.config, uploader); }, block));
  }
  first_tensor_.push_back(model.state_spec.tensors.size());
  const bool large = model.config.architecture == config::Architecture::large;
  if (model.out_norm) {
    out_norm_.emplace(large ? NormKind::rms : NormKind::layer, *model.out_norm, model.config.norm_eps, uploader);
  }
  lm_head_.emplace(model.lm_head, uploader);
  weight_bytes_ = uploader.bytes();
}

mx::array Network::head(const mx::array& x) const {
  return soft_cap((*lm_head_)(out_norm_ ? (*out_norm_)(x) : x), output_soft_cap_);
}

NetworkOutput Network::forward(std::span<const TokenId> tokens, std::span<const mx::array> state, Logits wanted,
                               Form form) const {
  NetworkOutput out;
  mx::array x = mx::take(embedding_, token_array(tokens), 0);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const std::size_t first = first_tensor_[b], count = first_tensor_[b + 1] - first;
    BlockOutput block = blocks_[b]->forward(x, state.subspan(first, count), form);
    x = block.x;
    out.state.insert(out.state.end(), block.state.begin(), block.state.end());
  }
  const int num_tokens = x.shape(0);
  if (wanted == Logits::last) out.logits = mx::squeeze(head(rows(x, num_tokens - 1, num_tokens)), 0);
  if (wanted == Logits::all) out.logits = head(x);
  evaluate(out);
  return out;
}

}  // namespace xlstm::backend::mlx
