// A model's matrix as the kernels take it.
#pragma once

#include "xlstm/kernels/cpu/matrix_view.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

inline kernels::MatrixView matrix_view(const model::Matrix& matrix) {
  kernels::MatrixView view = {matrix.weight.dtype, matrix.weight.data, matrix.rows(), matrix.cols()};
  if (matrix.groups) {
    const model::AffineGroups& groups = *matrix.groups;
    view.groups = {groups.bits, groups.group_size, groups.scales.dtype, groups.scales.data, groups.biases.data};
  }
  return view;
}

}  // namespace xlstm::backend
