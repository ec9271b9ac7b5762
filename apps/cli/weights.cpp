#include "apps/cli/weights.h"

#include <fmt/format.h>

namespace xlstm::cli {

using nlohmann::ordered_json;

std::string weight_summary(const std::vector<model::WeightKind>& kinds) {
  std::string text;
  for (const model::WeightKind& kind : kinds) {
    if (!text.empty()) text += fmt::format(", {} tensor{} ", kind.tensors, kind.tensors == 1 ? "" : "s");
    text += kind.name();
    if (kind.bits > 0) text += fmt::format(" (group {})", kind.group_size);
  }
  return text;
}

ordered_json describe_weights(const std::vector<model::WeightKind>& kinds) {
  ordered_json list = ordered_json::array();
  for (const model::WeightKind& kind : kinds) {
    list.push_back({{"dtype", kind.name()},
                    {"group_size", kind.bits > 0 ? ordered_json(kind.group_size) : ordered_json()},
                    {"tensors", kind.tensors},
                    {"parameters", kind.parameters},
                    {"bytes", kind.bytes}});
  }
  return list;
}

}  // namespace xlstm::cli
