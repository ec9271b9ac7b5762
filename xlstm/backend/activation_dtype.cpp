#include "xlstm/backend/activation_dtype.h"

#include <set>

#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

bool is_integer(DType dtype) { return dtype == DType::int16 || dtype == DType::int8; }

}  // namespace

DType activation_dtype(int weight_bits, std::optional<DType> asked) {
  if (weight_bits == 0) return asked && !is_integer(*asked) ? *asked : DType::float32;
  return asked.value_or(weight_bits == 8 ? DType::int16 : DType::int8);
}

std::string activation_dtype_name(const model::Model& model, std::optional<DType> asked) {
  std::set<std::string> quantized, plain;
  for (const model::WeightKind& kind : model.weight_kinds) {
    (kind.bits != 0 ? quantized : plain).emplace(dtype_name(activation_dtype(kind.bits, asked)));
  }
  std::string names;
  for (const std::string& name : quantized.empty() ? plain : quantized) names += (names.empty() ? "" : "+") + name;
  return names;
}

void check_activation_dtype(const model::Model& model, std::optional<DType> asked) {
  if (!asked) return;
  if (*asked != DType::float32 && *asked != DType::bfloat16 && !is_integer(*asked)) {
    fail(ErrorCode::invalid_argument, "activation dtype", "expected float32, bfloat16, int16 or int8 but got ",
         dtype_name(*asked));
  }
  if (!is_integer(*asked)) return;
  for (const model::WeightKind& kind : model.weight_kinds) {
    if (kind.bits != 0) return;
  }
  fail(ErrorCode::invalid_argument, "activation dtype",
       "expected float32 or bfloat16 for weights that are not quantised", " but got ", dtype_name(*asked));
}

}  // namespace xlstm::backend
