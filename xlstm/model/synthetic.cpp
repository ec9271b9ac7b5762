#include "xlstm/model/synthetic.h"

#include "xlstm/base/error.h"
#include "xlstm/base/huge_memory.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/load.h"
#include "xlstm/model/synthetic_weights.h"

namespace xlstm::model {
namespace {

// Reference section 1.2. 165m has the FFN width of the torch code.
const std::vector<SyntheticShape>& shapes() {
  static const std::vector<SyntheticShape> table = {{"7b", 4096, 32, 8, 256, 512, 10944},
                                                    {"2.7b", 2560, 32, 5, 256, 512, 6848},
                                                    {"1.3b", 2048, 24, 4, 256, 512, 5504},
                                                    {"165m", 768, 12, 4, 96, 192, 2048},
                                                    // Weights that cost nothing: what is left is a step's fixed cost.
                                                    {"step64", 64, 1, 4, 8, 16, 192, 256}};
  return table;
}

config::ModelConfig make_config(const SyntheticShape& shape) {
  config::ModelConfig config;
  config.layout = "huggingface";
  config.vocab_size = shape.vocab_size;
  config.embedding_dim = shape.embedding_dim;
  config.num_blocks = shape.num_blocks;
  config.blocks.assign(static_cast<std::size_t>(shape.num_blocks), config::BlockKind::mlstm);
  config.num_heads = shape.num_heads;
  config.gate_soft_cap = 15.0f;
  config.output_logit_soft_cap = 30.0f;
  config.bos_token_id = 0;
  config.eos_token_ids = {0};
  return config;
}

}  // namespace

std::vector<std::string> synthetic_names() {
  std::vector<std::string> names;
  for (const SyntheticShape& shape : shapes()) names.push_back(shape.name);
  return names;
}

SyntheticShape synthetic_shape(std::string_view name) {
  std::string names;
  for (const SyntheticShape& shape : shapes()) {
    if (shape.name == name) return shape;
    names += (names.empty() ? "" : ", ") + shape.name;
  }
  fail(ErrorCode::invalid_argument, "synthetic", "expected one of ", names, " but got \"", name, "\"");
}

std::vector<std::string> synthetic_format_names() { return {"float32", "float16", "bfloat16", "int8", "int4"}; }

SyntheticFormat synthetic_format(std::string_view name) {
  if (name == "int4") return {DType::bfloat16, {4, 64}};
  if (name == "int8") return {DType::bfloat16, {8, 64}};
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16}) {
    if (dtype_name(dtype) == name) return dtype;
  }
  fail(ErrorCode::invalid_argument, "synthetic", "expected float32, float16, bfloat16, int8 or int4 but got \"", name,
       "\"");
}

std::shared_ptr<const Model> make_synthetic(std::string_view name, const SyntheticFormat& format, std::uint64_t seed) {
  return make_synthetic(synthetic_shape(name), format, seed);
}

std::shared_ptr<const Model> make_synthetic(const SyntheticShape& shape, const SyntheticFormat& format,
                                            std::uint64_t seed, const checkpoint::AvailableMemory& available) {
  if (!is_weight_dtype(format.dtype)) {
    fail(ErrorCode::invalid_argument, "synthetic", "expected float32, float16 or bfloat16 but got ",
         dtype_name(format.dtype));
  }
  const SyntheticPlan plan(shape, format);
  checkpoint::Checkpoint checkpoint;
  checkpoint.source = "synthetic " + shape.name;
  checkpoint::require_memory(plan.nbytes(), checkpoint.source, "the weights", available);
  const std::shared_ptr<std::byte> region = allocate_huge(plan.nbytes());

  fill_weights(plan, format, seed, region.get());
  for (const PlannedTensor& tensor : plan.tensors()) add_tensors(tensor, format, region.get(), checkpoint);
  if (format.groups) checkpoint.quantization = {*format.groups, {}};
  checkpoint.config = make_config(shape);
  checkpoint.config_file = checkpoint.source;
  checkpoint.storage = {region};
  for (const auto& [name, view] : checkpoint.tensors) checkpoint.copied.insert(name);  // they are in no file
  return build_model(checkpoint, available);
}

}  // namespace xlstm::model
