#include "xlstm/quantize/quantize.h"

#include <utility>

#include "xlstm/checkpoint/quantization_config.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/quantize/output_config.h"

namespace xlstm::quantize {
namespace {

// What a tensor that is no linear layer's matrix is; every layout has names that say so.
std::string kind_of(const TensorView& tensor) {
  const auto has = [&](const char* part) { return tensor.name.find(part) != std::string::npos; };
  if (has("norm")) return "a norm";
  if (has("conv1d")) return "a convolution";
  if (has("_recurrent_kernel_")) return "a recurrent matrix";
  if (tensor.shape.size() == 1) return has("bias") ? "a bias" : "a vector";
  return "a head-wise matrix";
}

// Why a tensor stays as it is; nothing when it is quantised.
std::string reason_to_keep(const Source& source, const TensorView& tensor, const QuantizeOptions& options) {
  const auto module = module_of(tensor.name, "weight");
  const auto role = module ? source.roles.find(*module) : source.roles.end();
  if (role == source.roles.end()) return kind_of(tensor);
  const bool tied = source.model->config.tie_weights;
  if (role->second == Role::gate) return "a gate";
  if (options.keep_head && (role->second == Role::head || (tied && role->second == Role::embedding))) {
    return "--keep head";
  }
  if (options.keep_embeddings && (role->second == Role::embedding || (tied && role->second == Role::head))) {
    return "--keep embeddings";
  }
  if (tensor.shape[1] % options.format.group_size == 0) return "";
  return "width " + std::to_string(tensor.shape[1]) + ": groups of " + std::to_string(options.format.group_size) +
         " do not divide it";
}

void require_floats(const Source& source) {
  for (const auto& [name, tensor] : source.checkpoint.tensors) {
    if (tensor.dtype != DType::uint32) continue;
    checkpoint::refuse(ErrorCode::unsupported, tensor.file, "tensor ", checkpoint::quote(name),
                       ": expected float weights but got quantised ones: convert them to a float dtype first");
  }
}

}  // namespace

Plan plan_quantization(const Source& source, const QuantizeOptions& options) {
  require_floats(source);
  Plan plan;
  for (const std::string& name : source.names()) {
    const TensorView& tensor = source.checkpoint.tensors.at(name);
    std::string reason = reason_to_keep(source, tensor, options);
    if (reason.empty()) {
      const auto own = options.modules.find(module_of(name, "weight").value());
      const config::AffineFormat format = own == options.modules.end() ? options.format : own->second;
      plan.rewrites.push_back({name, {tensor, std::nullopt}, options.scale_dtype, format, options.scales});
    } else {
      plan.rewrites.push_back({name, {tensor, std::nullopt}, tensor.dtype, std::nullopt});
      plan.kept.push_back({name, std::move(reason)});
    }
  }
  if (plan.kept.size() == plan.rewrites.size()) {
    checkpoint::refuse(ErrorCode::invalid_argument, source.checkpoint.source,
                       "expected a matrix to quantise, of a width that groups of ", options.format.group_size,
                       " divide, but got none");
  }
  return plan;
}

QuantizeReport quantize(const checkpoint::FileSource& files, const QuantizeOptions& options,
                        const Callbacks& callbacks) {
  const Source source = open_source(files);
  Plan plan = plan_quantization(source, options);
  Output output = {options.output, source.checkpoint.layout, options.max_shard_bytes, source.config};
  checkpoint::set_quantization(output.config, options.format, options.modules);
  QuantizeReport report;
  static_cast<Report&>(report) = write_checkpoint(source, plan.rewrites, output, callbacks);
  report.kept = std::move(plan.kept);
  return report;
}

}  // namespace xlstm::quantize
