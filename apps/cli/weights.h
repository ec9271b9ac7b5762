// How the weights of a model are stored, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "xlstm/engine/engine.h"

namespace xlstm::cli {

/// "int4 (group 64), 11 tensors bfloat16": the kind with most bytes, and what is stored otherwise.
std::string weight_summary(const std::vector<model::WeightKind>& kinds);
/// [{"dtype", "group_size", "tensors", "parameters", "bytes"}]
nlohmann::ordered_json describe_weights(const std::vector<model::WeightKind>& kinds);

}  // namespace xlstm::cli
