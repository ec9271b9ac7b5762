// How the weights of a model are stored, summed up.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "xlstm/base/tensor_view.h"
#include "xlstm/config/quantization.h"
#include "xlstm/model/model.h"

namespace xlstm::model {

/// The kinds of `tensors`, the one with most bytes first. `quantized`: the modules that are, by path.
std::vector<WeightKind> count_weight_kinds(const std::map<std::string, TensorView>& tensors,
                                           const std::map<std::string, config::AffineFormat>& quantized);

}  // namespace xlstm::model
