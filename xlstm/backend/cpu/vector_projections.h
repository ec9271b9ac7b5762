// Linear layers over the vectors of a decode step.
#pragma once

#include <cstdint>
#include <span>

#include "xlstm/backend/cpu/projections.h"

namespace xlstm::backend {

/// As project() (projections.h), every row of the batch in the order of summation it has alone.
void project_vectors(const Pass& pass, const float* x, std::int64_t batch, std::span<const Projection> projections);

}  // namespace xlstm::backend
