#include "xlstm/quantize/source.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/model/load.h"

namespace xlstm::quantize {
namespace {

using Roles = std::map<std::string, Role>;

void add(Roles& roles, Role role, const model::Matrix& matrix) {
  roles.emplace(module_of(matrix.weight.name, "weight").value(), role);
}

void add_block(Roles& roles, const model::LargeBlock& block) {
  for (const model::Linear* layer :
       {&block.q, &block.k, &block.v, &block.ogate, &block.out_proj, &block.ffn_gate, &block.ffn_up, &block.ffn_down}) {
    add(roles, Role::projection, *layer);
  }
  add(roles, Role::gate, block.igate);
  add(roles, Role::gate, block.fgate);
}

void add_block(Roles& roles, const model::ResearchMlstmBlock& block) {
  add(roles, Role::projection, block.proj_up);
  add(roles, Role::projection, block.proj_down);
  add(roles, Role::gate, block.igate);
  add(roles, Role::gate, block.fgate);
}

void add_block(Roles& roles, const model::ResearchSlstmBlock& block) {
  if (!block.ffn) return;
  add(roles, Role::projection, block.ffn->up);
  add(roles, Role::projection, block.ffn->down);
}

// A tied network's matrix may stand under two names, of which the model knows one.
Roles find_roles(const model::Model& model, const checkpoint::Checkpoint& checkpoint) {
  Roles roles;
  add(roles, Role::embedding, model.embedding);
  add(roles, Role::head, model.lm_head);
  if (checkpoint.tensors.contains("lm_head.weight")) roles.emplace("lm_head", Role::head);
  for (const model::Block& any : model.blocks) std::visit([&](const auto& block) { add_block(roles, block); }, any);
  return roles;
}

nlohmann::json read_config(const checkpoint::FileSource& files) {
  const std::string directory = files.description() + '/';
  if (const auto bytes = files.open("config.json")) {
    return checkpoint::parse_json(bytes->data, directory + "config.json", checkpoint::kMaxConfigBytes);
  }
  return checkpoint::parse_yaml(files.open("config.yaml").value().data, directory + "config.yaml");
}

}  // namespace

std::optional<std::string> module_of(const std::string& tensor, const std::string& part) {
  if (!tensor.ends_with('.' + part)) return std::nullopt;
  return tensor.substr(0, tensor.size() - part.size() - 1);
}

std::vector<std::string> Source::names() const {
  std::vector<const TensorView*> order;
  for (const auto& [name, tensor] : checkpoint.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const TensorView* a, const TensorView* b) {
    return std::pair(a->file, reinterpret_cast<std::uintptr_t>(a->data)) <
           std::pair(b->file, reinterpret_cast<std::uintptr_t>(b->data));
  });
  std::vector<std::string> names;
  for (const TensorView* tensor : order) names.push_back(tensor->name);
  return names;
}

model::Matrix Source::matrix(const std::string& module) const {
  model::Matrix matrix = {checkpoint.tensors.at(module + ".weight"), std::nullopt};
  if (!is_quantized(module)) return matrix;
  const config::AffineFormat format = checkpoint.quantization.value().format_of(module).value();
  matrix.groups = {format.bits, format.group_size, checkpoint.tensors.at(module + ".scales"),
                   checkpoint.tensors.at(module + ".biases")};
  return matrix;
}

Source open_source(const checkpoint::FileSource& files) {
  Source source = {files, checkpoint::read_checkpoint(files), nullptr, read_config(files), {}};
  // Nothing is held in memory but what is small: a model larger than it can be written again.
  source.model = model::build_model(source.checkpoint, [] { return std::numeric_limits<std::size_t>::max(); });
  source.roles = find_roles(*source.model, source.checkpoint);
  return source;
}

}  // namespace xlstm::quantize
