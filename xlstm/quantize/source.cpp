#include "xlstm/quantize/source.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>

#include "xlstm/checkpoint/json_document.h"
#include "xlstm/model/load.h"
#include "xlstm/model/projections.h"

namespace xlstm::quantize {
namespace {

using Roles = std::map<std::string, Role>;

void add(Roles& roles, Role role, const model::Matrix& matrix) {
  roles.emplace(module_of(matrix.weight.name, "weight").value(), role);
}

void add_gates(Roles& roles, const auto& block) {
  add(roles, Role::gate, block.igate);
  add(roles, Role::gate, block.fgate);
}
void add_gates(Roles&, const model::ResearchSlstmBlock&) {}  // head-wise matrices

// A tied network's matrix may stand under two names, of which the model knows one.
Roles find_roles(const model::Model& model, const checkpoint::Checkpoint& checkpoint) {
  Roles roles;
  add(roles, Role::embedding, model.embedding);
  add(roles, Role::head, model.lm_head);
  if (checkpoint.tensors.contains("lm_head.weight")) roles.emplace("lm_head", Role::head);
  const auto add_block = [&](const auto& block) {
    model::for_each_projection(block, [&](const model::Linear& layer) { add(roles, Role::projection, layer); });
    add_gates(roles, block);
  };
  for (const model::Block& any : model.blocks) std::visit(add_block, any);
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
  names.reserve(order.size());
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
