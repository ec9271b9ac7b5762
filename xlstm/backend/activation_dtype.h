// In which type activations meet the weights of a product: a stated choice, because narrower types change answers.
#pragma once

#include <optional>
#include <string>

#include "xlstm/base/dtype.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

/// What the CPU engine rounds activations to before a product with weights of so many bits (0: not quantised). Asked
/// for nothing: float32 for float weights, int16 for int8 and int8 for int4 weights, whose own error hides it. int16
/// and int8 concern quantised weights alone; gates always meet float32 (their errors are exponentiated).
DType activation_dtype(int weight_bits, std::optional<DType> asked);

/// Of all quantised weights of a network, or of all weights when none is quantised: "float32", "int8", "int8+int16".
std::string activation_dtype_name(const model::Model& model, std::optional<DType> asked);

/// Errors: invalid_argument for a type that is none of float32, bfloat16, int16 and int8, and for an integer type when
/// no weights are quantised.
void check_activation_dtype(const model::Model& model, std::optional<DType> asked);

}  // namespace xlstm::backend
