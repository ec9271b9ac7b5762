// The checkpoint that is read, and what its tensors are for.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/model/model.h"

namespace xlstm::quantize {

/// What a matrix of the network that a linear layer holds is for.
enum class Role { embedding, head, gate, projection };

/// Read and checked as for running it.
struct Source {
  const checkpoint::FileSource& files;
  checkpoint::Checkpoint checkpoint;
  std::shared_ptr<const model::Model> model;
  nlohmann::json config;              // as the file has it
  std::map<std::string, Role> roles;  // of modules ("backbone.blocks.0.mlstm_layer.q") with a matrix

  /// Names in the order of the files: read one after the other, they are read from the disk in one go.
  std::vector<std::string> names() const;
  /// Whether "<module>.weight" is quantised.
  bool is_quantized(const std::string& module) const { return checkpoint.tensors.contains(module + ".scales"); }
  /// The matrix "<module>.weight" with its scales and biases, if it is quantised; the tensor, of any shape, otherwise.
  model::Matrix matrix(const std::string& module) const;
};

/// Errors: those of checkpoint::read_checkpoint and model::build_model.
Source open_source(const checkpoint::FileSource& files);

/// "a.b.weight" -> "a.b" with `part` "weight"; nothing when the name has another end.
std::optional<std::string> module_of(const std::string& tensor, const std::string& part);

}  // namespace xlstm::quantize
