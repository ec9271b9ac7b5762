#include "xlstm/model/load.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "xlstm/base/log.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/model/build_blocks.h"
#include "xlstm/model/weight_kinds.h"

namespace xlstm::model {
namespace {

using checkpoint::AvailableMemory;
using checkpoint::Checkpoint;

// Everything but matrices may be widened to float32; a layer's own bookkeeping is small beside that.
std::size_t owned_bytes_bound(const Checkpoint& checkpoint) {
  std::size_t bytes = 0;
  for (const auto& [name, view] : checkpoint.tensors) {
    if (view.shape.size() != 2) bytes += static_cast<std::size_t>(view.size()) * sizeof(float);
  }
  return bytes;
}

std::size_t copied_bytes(const Checkpoint& checkpoint) {
  std::size_t bytes = 0;
  for (const std::string& name : checkpoint.copied) bytes += checkpoint.tensors.at(name).nbytes();
  return bytes;
}

/// file_bytes: of weights that are not in memory yet.
void check_memory(const Checkpoint& checkpoint, std::size_t file_bytes, const AvailableMemory& available) {
  const std::size_t left = available();
  checkpoint::require_memory(owned_bytes_bound(checkpoint), checkpoint.source,
                             "the weights that are widened to float32", [left] { return left; });
  if (file_bytes > left) {
    log(LogLevel::warning, checkpoint::one_line('[' + checkpoint.source + "] " + std::to_string(file_bytes) +
                                                    " bytes of weights do not fit in the " + std::to_string(left) +
                                                    " bytes available: they will be read from the disk again and again",
                                                1000));
  }
}

// Widths are bounded by the file, their product is not: a state of this size could not be allocated anyway.
void check_state_size(const Checkpoint& checkpoint, const config::ModelConfig& config) {
  constexpr double kMaxFloats = 1e12;
  const double cell = static_cast<double>(config.qk_dim) * static_cast<double>(config.v_head_dim());
  const double conv = static_cast<double>(config.embedding_dim + config.v_dim) *
                      static_cast<double>(config.mlstm_conv1d_kernel_size + config.slstm_conv1d_kernel_size);
  const double total = static_cast<double>(config.num_blocks) * (cell + conv);
  if (total > kMaxFloats) {
    checkpoint::refuse_corrupt(checkpoint.source, "expected a state of at most ", kMaxFloats, " numbers but got ",
                               total);
  }
}

DType largest_float_dtype(const Checkpoint& checkpoint) {
  const auto rank = [](const TensorView& view) { return is_weight_dtype(view.dtype) ? view.nbytes() : 0; };
  const auto smaller = [&](const auto& a, const auto& b) { return rank(a.second) < rank(b.second); };
  return std::max_element(checkpoint.tensors.begin(), checkpoint.tensors.end(), smaller)->second.dtype;
}

void note_unused_quantization(const Checkpoint& checkpoint, const TensorBinder& binder) {
  if (!checkpoint.quantization || !binder.quantized().empty()) return;
  log(LogLevel::info,
      checkpoint::one_line('[' + checkpoint.config_file + "] the key quantization is not used: no tensor is quantised",
                           1000));
}

}  // namespace

std::shared_ptr<const Model> build_model(const Checkpoint& checkpoint, const AvailableMemory& available) {
  auto model = std::make_shared<Model>();
  for (const auto& [name, view] : checkpoint.tensors) model->weight_bytes += view.nbytes();
  model->copied_bytes = copied_bytes(checkpoint);
  check_memory(checkpoint, model->weight_bytes - model->copied_bytes, available);
  model->config = checkpoint.config;
  TensorBinder binder(checkpoint);
  if (model->config.architecture == config::Architecture::large) {
    build_large(checkpoint, binder, *model);
  } else {
    build_research(checkpoint, binder, *model);
  }
  binder.finish();
  check_state_size(checkpoint, model->config);
  model->state_spec = config::make_state_spec(model->config);
  model->storage = std::make_shared<std::vector<std::shared_ptr<const void>>>(checkpoint.storage);
  note_unused_quantization(checkpoint, binder);
  model->weight_kinds = count_weight_kinds(checkpoint.tensors, binder.quantized());
  for (const WeightKind& kind : model->weight_kinds) model->num_parameters += kind.parameters;
  if (model->config.tie_weights && checkpoint.tensors.contains("lm_head.weight") &&
      checkpoint.tensors.contains("token_embedding.weight")) {
    model->num_parameters -= model->embedding.size();
  }
  model->mapped_bytes = binder.mapped_bytes();
  model->repacked_bytes = binder.repacked_bytes();
  model->dtype = largest_float_dtype(checkpoint);
  return model;
}

}  // namespace xlstm::model
